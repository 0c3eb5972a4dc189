/** Puts the parts of an agent together. The only file of this folder that knows which kernel and which store. */
import { openKernel } from "../ffi/netlink_kernel.ts";
import { runNft } from "../ffi/nftables.ts";
import { openProbeSocket } from "../ffi/probe_socket.ts";
import { requireProxyLibrary } from "../ffi/proxy.ts";
import { openHookedKernel } from "../hooks/hooked_kernel.ts";
import { runCommand } from "../hooks/run_command.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Store } from "../lease/store.ts";
import { openStore } from "../lease/open.ts";
import type { OpenOptions } from "../lease/remote/credentials.ts";
import type { Clock } from "../net/clock.ts";
import { openFirewalledKernel } from "../firewall/firewalled_kernel.ts";
import { iptablesPrograms } from "../firewall/programs.ts";
import { openProxiedKernel, type ProxiedInit } from "../proxy/proxied_kernel.ts";
import { Agent } from "./agent.ts";
import { requireNetAdmin } from "./capability.ts";
import { ensureHostState } from "./host_state.ts";
import { udpCounters } from "./udp_counters.ts";
import type { AgentParts } from "./parts.ts";

/** What an agent stands on: opened once, because a store knows again what it has read before. */
export interface Ground {
  readonly store: Store;
  readonly kernel: Kernel;
  close(): void;
}

/** How a proxy is found, and started where the network needs one. */
export type ProxyPlace = Pick<ProxiedInit, "runDir" | "spawn" | "version">;

/** Without the capability the library writes a line of its own to stderr before it fails. Throws `not-permitted` first. */
function permittedNft(commands: string): string {
  requireNetAdmin("look at the packet filter");
  return runNft(commands);
}

/** What a look at the host tells beside what it sees. */
export interface Seeing extends Pick<ProxiedInit, "log" | "unseen"> {
  /** Told why the packet filter cannot be seen. */
  readonly unseenFirewall?: (error: Error) => void;
  /** Told why it cannot be seen what the network's commands did. */
  readonly unseenHooks?: (error: Error) => void;
}

/**
 * The kernel of this network namespace, packet filter included, with the proxy and the hooks of a run directory. Nothing
 * changes in it. `runsHooks` is the leave to run the commands of the network.
 */
export function openHost(
  place: ProxyPlace,
  { clock, runsHooks, unseenFirewall, unseenHooks, ...seeing }: { clock: Clock; runsHooks: boolean } & Seeing,
): Kernel {
  const firewalled = openFirewalledKernel(openKernel({ clock }), {
    nft: permittedNft,
    iptables: iptablesPrograms,
    unseen: unseenFirewall,
    log: seeing.log,
  });
  const proxied = openProxiedKernel(firewalled, {
    ...place,
    ...seeing,
    clock,
    requireProxy: requireProxyLibrary,
  });
  const file = `${place.runDir}/hooks.json`;
  return openHookedKernel(proxied, { file, clock, allowed: runsHooks, log: seeing.log, unseen: unseenHooks });
}

/** Opens the store and the kernel. Nothing changes in either. */
export function openGround(
  url: string,
  { proxy, runsHooks, ...options }: OpenOptions & { proxy: ProxyPlace; runsHooks: boolean },
): Ground {
  const store = openStore(url, options);
  const kernel = openHost(proxy, { clock: options.clock, log: options.log, runsHooks });
  return {
    store,
    kernel,
    close() {
      kernel.close();
      store.close();
    },
  };
}

/** The agent on its ground, after the host was given an identity. Nothing in the network changes yet. */
export async function wireAgent(
  ground: Ground,
  { probePort, ...parts }: Pick<AgentParts, "options" | "clock" | "log" | "watcher"> & {
    /** 0 for none. */
    readonly probePort: number;
  },
): Promise<Agent> {
  const { node } = await ensureHostState(parts.options.stateDir, parts.clock);
  const probes = probePort === 0 ? undefined : { open: openProbeSocket, port: probePort };
  const run = (command: string) => runStartup(command, parts.clock);
  return new Agent({ ...ground, ...parts, node, probes, udpCounters, runCommand: run });
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
