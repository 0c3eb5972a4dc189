/** `flan lease check`: what is wrong with the leases, each with the command that mends it. */
import { readHostState } from "../agent/host_state.ts";
import { checkLeases } from "../lease/check.ts";
import { readNetwork, withStore } from "./context.ts";
import { printFindings } from "./findings.ts";
import type { Call } from "./leaf.ts";
import { unreachableIn } from "./unreachable.ts";

export async function checkAllLeases({ context, format, header }: Call): Promise<number> {
  const { stateDir } = context.settings;
  const node = readHostState(stateDir)?.node;
  const stored = await withStore(context, (store) => readNetwork(store));
  const { snapshot, config } = stored;
  return printFindings(format, {
    schema: "lease-check",
    items: checkLeases({ snapshot, network: config, node, unreachable: unreachableIn(stored, stateDir) }),
    empty: "every lease is well",
    extra: { leases: snapshot.records.length, revision: snapshot.revision },
  }, header);
}
