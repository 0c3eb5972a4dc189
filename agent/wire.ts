/** Puts the parts of an agent together. The only file of this folder that knows which store. */
import { openProbeSocket } from "../ffi/probe_socket.ts";
import { runCommand } from "../hooks/run_command.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Store } from "../lease/store.ts";
import { openStore } from "../lease/open.ts";
import type { OpenOptions } from "../lease/remote/credentials.ts";
import type { Clock } from "../net/clock.ts";
import type { FlanError } from "../net/errors.ts";
import { Agent } from "./agent.ts";
import { readBootId } from "./boot.ts";
import { HostSecrets } from "./secrets.ts";
import { openHost, type ProxyPlace } from "./host_kernel.ts";
import { IpsecLedger } from "./ipsec_ledger.ts";
import { ensureHostState } from "./host_state.ts";
import { udpCounters } from "./probing/udp_counters.ts";
import type { AgentParts } from "./parts.ts";

/** What an agent stands on: opened once, because a store knows again what it has read before. */
export interface Ground {
  readonly store: Store;
  readonly kernel: Kernel;
  readonly secrets: HostSecrets;
  /** Why the kernel's last look did not see what the network's commands did; undefined where it did. */
  readonly hooksTrouble: () => FlanError | undefined;
  close(): void;
}

/** Opens the store and the kernel. Nothing changes in either. */
export async function openGround(
  url: string,
  { proxy, runsHooks, stateDir, ...options }: OpenOptions & {
    proxy: ProxyPlace;
    runsHooks: boolean;
    stateDir: string;
  },
): Promise<Ground> {
  const store = await openStore(url, options);
  const secrets = new HostSecrets(stateDir);
  let trouble: FlanError | undefined;
  const kernel = openHost(proxy, {
    clock: options.clock,
    log: options.log,
    runsHooks,
    secrets,
    ledger: new IpsecLedger(stateDir, options.clock),
    unseenHooks: (error) => trouble = error,
    seenHooks: () => trouble = undefined,
  });
  return {
    store,
    kernel,
    secrets,
    hooksTrouble: () => trouble,
    close() {
      kernel.close();
      store.close();
    },
  };
}

/** The agent on its ground, after the host was given an identity. Nothing in the network changes yet. */
export async function wireAgent(
  ground: Ground,
  { probePort, ...parts }: Pick<AgentParts, "options" | "clock" | "log" | "watcher" | "moved"> & {
    /** 0 for none. */
    readonly probePort: number;
  },
): Promise<Agent> {
  const { node } = await ensureHostState(parts.options.stateDir, parts.clock);
  const probes = probePort === 0 ? undefined : { open: openProbeSocket, port: probePort };
  const run = (command: string) => runStartup(command, parts.clock);
  const bootId = readBootId();
  return new Agent({ ...ground, ...parts, node, bootId, probes, udpCounters, runCommand: run });
}

/** Resolves to what the network's startup command says on this host, which must have leave to run it. Throws `failed`. */
export async function runStartup(command: string, clock: Clock): Promise<string> {
  return await runCommand({
    command,
    env: {},
    stdin: "",
    clock,
    purpose: "run the network's startup command",
  });
}
