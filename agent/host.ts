/** The facts about this host that a plan is made from, gathered from the kernel, the state and the settings. */
import type { Clock } from "../net/clock.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { aliasOf, type KernelObject, type Link, LINK_ALIAS } from "../kernel/state.ts";
import { xfrmMark } from "../kernel/xfrm.ts";
import type { Host } from "../backends/backend.ts";
import { withIdentity } from "../backends/identity.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { familiesOf } from "../lease/stack.ts";
import { FlanError } from "../net/errors.ts";
import { familyOf } from "../net/ip.ts";
import { ensureMac, readHostState } from "./host_state.ts";
import { firewallOf, type FirewallOptions } from "./firewall.ts";
import { ensureIpsec, type IpsecFacts, readIpsec } from "./ipsec_ledger.ts";
import type { Network } from "./network.ts";
import { epochsOf } from "./planes.ts";
import { localAddresses } from "./surroundings.ts";
import type { TxChecksum } from "./tx_checksum.ts";
import { findUnderlay, type FormerUnderlay } from "./underlay.ts";
import { ensurePublicKeys, readPublicKeys } from "./wireguard_key.ts";

/** The settings of `up` that shape the host; the names are those of the flags. */
export interface HostOptions extends FirewallOptions {
  readonly iface: readonly string[] | undefined;
  readonly publicIp: string | undefined;
  readonly publicIp6: string | undefined;
  readonly mtu: number | undefined;
  readonly txChecksum: TxChecksum;
  readonly stateDir: string;
  /** The underlay that it is in the network by, where it is. */
  readonly former?: FormerUnderlay | undefined;
  /** Whether only a network will do whose packets nobody else can read. */
  readonly encrypt?: boolean;
}

/**
 * Gathers the facts, and gives each device a MAC or a key, or this host a nonce, where it needs one and has none yet. `node` must be in the state
 * directory.
 */
export async function describeHost(
  kernel: Kernel,
  { config, backend, devices, node, options, clock, objects: known, isHeld = false, ipsec }: Network & {
    node: string;
    options: HostOptions;
    clock: Clock;
    /** Where this host stood in its network's keys; it stays there while its ledger cannot be used. */
    ipsec?: IpsecFacts | undefined;
    /** Whether peers cannot be told of what is new. */
    isHeld?: boolean;
    /** What a dump of the kernel gave; it is read where nobody has read it yet. */
    objects?: readonly KernelObject[] | undefined;
  },
): Promise<Host> {
  const objects = known ?? await kernel.dump({ links: [], sysctls: [] });
  const found = await facts(kernel, { config, options, objects });
  const { stateDir } = options;
  const span = backend.epochs?.(config);
  return described(found, {
    node,
    ...await ensureIdentity({ backend, devices }, { node, stateDir, clock, objects }),
    ipsec: span === undefined ? undefined : await ensureIpsec(stateDir, {
      clock,
      span,
      at: `${found.underlay.address} ${found.publicIp}`,
      stands: hasStates(objects, node),
      isHeld,
    }).catch((error) => stayingAt(ipsec, error)),
  });
}

/** Gives each of the backend's devices a MAC or a key, where the backend wants that and there is none yet. */
export async function ensureIdentity(
  { backend, devices }: Pick<Network, "backend" | "devices">,
  { node, stateDir, clock, objects }: {
    node: string;
    stateDir: string;
    clock: Clock;
    /** What there is in the kernel: a device of this host's keeps its MAC. */
    objects: readonly KernelObject[];
  },
): Promise<{ macs: readonly string[]; publicKeys: readonly string[] }> {
  const macs: string[] = [];
  for (const device of backend.hasMac ? devices : []) {
    const existing = macAmong(objects, { device, node });
    macs.push(
      readHostState(stateDir)?.macs[device] ?? await ensureMac(stateDir, { device, existing, clock }),
    );
  }
  return {
    macs,
    publicKeys: await ensurePublicKeys(stateDir, { devices: backend.hasKey ? devices : [], clock }),
  };
}

/**
 * The same without changing anything: for `routes`, `status` and `--dry-run`. A host that has no identity, MAC
 * or key yet has empty ones: nothing that somebody could repeat by hand on two hosts.
 */
export async function observeHost(
  kernel: Kernel,
  { config, backend, devices, options, objects, clock }: Network & {
    options: HostOptions;
    clock: Clock;
    /** What a dump of the kernel gave; it is read where nobody has read it yet. */
    objects?: readonly KernelObject[];
  },
): Promise<Host> {
  const state = readHostState(options.stateDir);
  const node = state?.node ?? "";
  const there = objects ?? await kernel.dump({ links: [], sysctls: [] });
  const found = await facts(kernel, { config, options, objects: there });
  const macs = (backend.hasMac ? devices : []).map((device) =>
    state?.macs[device] ?? macAmong(there, { device, node }) ?? ""
  );
  const publicKeys = readPublicKeys(options.stateDir, backend.hasKey ? devices : []);
  const span = epochsOf({ backend, config }, options.stateDir);
  const ipsec = span === undefined ? undefined : readIpsec(options.stateDir, { clock, span });
  return described(found, { node, macs, publicKeys, ipsec });
}

/** What is known of a host before its devices' MACs are. */
type Facts = Omit<Host, "node" | "mac">;

function described(
  found: Facts,
  { node, macs, publicKeys, ipsec }: {
    node: string;
    macs: readonly string[];
    publicKeys: readonly string[];
    ipsec: IpsecFacts | undefined;
  },
): Host {
  const host = { ...found, ...(ipsec === undefined ? {} : { ipsec }), node, mac: "" };
  return withIdentity(host, { macs, publicKeys });
}

async function facts(
  kernel: Kernel,
  { config, options, objects }: {
    config: NetworkConfig;
    options: HostOptions;
    objects: readonly KernelObject[];
  },
): Promise<Facts> {
  const txChecksum = options.txChecksum === "auto" ? undefined : options.txChecksum === "on";
  return {
    ...await groundOf(kernel, { config, options, objects }),
    local: localAddresses(objects),
    mtu: options.mtu,
    txChecksum,
    said: "",
    wanted: new Set(),
    firewall: firewallOf(objects, options),
  };
}

/** Where the host stands in the network's families, and what it announces of that. Throws as {@link findUnderlay}. */
export async function groundOf(
  kernel: Pick<Kernel, "routeGet">,
  { config, options, objects }: {
    config: NetworkConfig;
    options: Pick<HostOptions, "iface" | "publicIp" | "publicIp6" | "former">;
    objects: readonly KernelObject[];
  },
): Promise<Pick<Host, "underlay" | "publicIp" | "ipv6">> {
  const { iface: wishes = [], publicIp, publicIp6, former } = options;
  const families = familiesOf(config);
  const wish = { objects, families, wishes, publicIp, publicIp6, former };
  const { underlay, ipv6 } = await findUnderlay(kernel, wish);
  const announced = (address: string) => (familyOf(address) === 4 ? publicIp : publicIp6) ?? address;
  return {
    underlay,
    publicIp: announced(underlay.address),
    ...(ipv6 && { ipv6: { underlay: ipv6, publicIp: announced(ipv6.address), mac: "" } }),
  };
}

function stayingAt(former: IpsecFacts | undefined, error: unknown): IpsecFacts {
  if (former === undefined || !(error instanceof FlanError)) throw error;
  return { ...former, trouble: error.message };
}

function hasStates(objects: readonly KernelObject[], node: string): boolean {
  const mark = xfrmMark(aliasOf(node));
  return objects.some((object) => object.kind === "xfrm-state" && object.requestId === mark);
}

/** The MAC of a device that an earlier run of flan left, so that its peers need not learn another. */
function macAmong(
  objects: readonly KernelObject[],
  { device, node }: { device: string; node: string },
): string | undefined {
  const link = objects.find((o): o is Link => o.kind === "link" && o.name === device);
  return link !== undefined && [LINK_ALIAS, aliasOf(node)].includes(link.alias) ? link.mac : undefined;
}
