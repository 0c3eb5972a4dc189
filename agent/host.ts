/** The facts about this host that a plan is made from, gathered from the kernel, the state and the settings. */
import type { Clock } from "../net/clock.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { aliasOf, type KernelObject, type Link, LINK_ALIAS } from "../kernel/state.ts";
import type { Host } from "../backends/backend.ts";
import { ensureMac, readHostState } from "./host_state.ts";
import { firewallOf, type FirewallOptions } from "./firewall.ts";
import type { Network } from "./network.ts";
import { findUnderlay, type FormerUnderlay, localAddresses } from "./underlay.ts";

export const txChecksums = ["auto", "on", "off"] as const;
/** Whether the device offloads checksums; `auto` leaves it as the kernel has it. */
export type TxChecksum = (typeof txChecksums)[number];

/** The settings of `up` that shape the host; the names are those of the flags. */
export interface HostOptions extends FirewallOptions {
  readonly iface: readonly string[] | undefined;
  readonly publicIp: string | undefined;
  readonly mtu: number | undefined;
  readonly txChecksum: TxChecksum;
  readonly stateDir: string;
  /** The underlay that it is in the network by, where it is. */
  readonly former?: FormerUnderlay | undefined;
}

/**
 * Gathers the facts, and gives the device a MAC if it is one with a MAC and has none yet. `node` must be in the state
 * directory.
 */
export async function describeHost(
  kernel: Kernel,
  { backend, device, node, options, clock, objects: known }: Network & {
    node: string;
    options: HostOptions;
    clock: Clock;
    /** What a dump of the kernel gave; it is read where nobody has read it yet. */
    objects?: readonly KernelObject[] | undefined;
  },
): Promise<Host> {
  const objects = known ?? await kernel.dump({ links: [], sysctls: [] });
  const found = await facts(kernel, { options, objects });
  if (!backend.hasMac) return { ...found, node, mac: "" };
  const mac = readHostState(options.stateDir)?.macs[device] ??
    await ensureMac(options.stateDir, {
      device,
      existing: macAmong(objects, { device, node }),
      clock,
    });
  return { ...found, node, mac };
}

/**
 * The same without changing anything: for `routes`, `status` and `--dry-run`. A host that has no identity or
 * no MAC yet has empty ones: nothing that somebody could repeat by hand on two hosts.
 */
export async function observeHost(
  kernel: Kernel,
  { backend, device, options, objects }: Network & {
    options: HostOptions;
    /** What a dump of the kernel gave; it is read where nobody has read it yet. */
    objects?: readonly KernelObject[];
  },
): Promise<Host> {
  const state = readHostState(options.stateDir);
  const node = state?.node ?? "";
  const there = objects ?? await kernel.dump({ links: [], sysctls: [] });
  const found = await facts(kernel, { options, objects: there });
  if (!backend.hasMac) return { ...found, node, mac: "" };
  return { ...found, node, mac: state?.macs[device] ?? macAmong(there, { device, node }) ?? "" };
}

async function facts(
  kernel: Kernel,
  { options, objects }: { options: HostOptions; objects: readonly KernelObject[] },
): Promise<Omit<Host, "node" | "mac">> {
  const { iface: wishes = [], publicIp, mtu, former } = options;
  const underlay = await findUnderlay(kernel, { objects, wishes, publicIp, former });
  const local = localAddresses(objects);
  const firewall = firewallOf(objects, options);
  const publicAddress = publicIp ?? underlay.address;
  const txChecksum = options.txChecksum === "auto" ? undefined : options.txChecksum === "on";
  return { underlay, local, publicIp: publicAddress, mtu, txChecksum, said: "", wanted: new Set(), firewall };
}

/** The MAC of a device that an earlier run of flan left, so that its peers need not learn another. */
function macAmong(
  objects: readonly KernelObject[],
  { device, node }: { device: string; node: string },
): string | undefined {
  const link = objects.find((o): o is Link => o.kind === "link" && o.name === device);
  return link !== undefined && [LINK_ALIAS, aliasOf(node)].includes(link.alias) ? link.mac : undefined;
}
