/** Puts the parts of an agent together. The only file of this folder that knows which kernel and which store. */
import { openKernel } from "../ffi/netlink_kernel.ts";
import { openStore } from "../lease/open.ts";
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";
import { Agent } from "./agent.ts";
import { ensureHostState } from "./host_state.ts";
import type { AgentOptions } from "./parts.ts";

export interface Wired {
  readonly agent: Agent;
  close(): void;
}

/** Opens the store and the kernel and gives the host an identity. Nothing in the network changes yet. */
export async function wireAgent(
  options: AgentOptions & { store: string },
  { clock, log }: { clock: Clock; log: Logger },
): Promise<Wired> {
  const { node } = await ensureHostState(options.stateDir, clock);
  const store = openStore(options.store, { clock, log });
  const kernel = openKernel({ clock });
  return {
    agent: new Agent({ store, kernel, clock, log, node, options }),
    close() {
      kernel.close();
      store.close();
    },
  };
}
