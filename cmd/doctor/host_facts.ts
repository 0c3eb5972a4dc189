/** What the doctor learns from the kernel, and what of it the network's backend would need. */
import { needsOf } from "../../agent/firewall.ts";
import { heldNetwork } from "../../agent/held_network.ts";
import { type HostOptions, observeHost } from "../../agent/host.ts";
import type { KnownNetwork } from "../../agent/known_network.ts";
import { readHostState } from "../../agent/host_state.ts";
import { type Network, networkIn, noNetwork } from "../../agent/network.ts";
import { devicesOf } from "../../agent/planes.ts";
import type { Host } from "../../backends/backend.ts";
import {
  judgedSysctls,
  type KernelFacts,
  type Lack,
  type NetworkFacts,
  type Seen,
} from "../../doctor/facts.ts";
import type { Feature, Kernel } from "../../kernel/kernel.ts";
import { describe, type KernelObject } from "../../kernel/state.ts";
import type { Snapshot } from "../../lease/store.ts";
import { makeView } from "../../lease/view.ts";
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import { type Context, type StoredNetwork, withKernel } from "../context.ts";
import { startingConfig } from "../network_settings.ts";
import type { Looked } from "../looking.ts";
import { compare, type Observation } from "../observe.ts";
import { nowhereIn } from "../unreachable.ts";
import { waysIn } from "./ways.ts";

export interface HostLook {
  readonly network: Seen<NetworkFacts>;
  readonly kernel: Seen<KernelFacts>;
  readonly lacks: readonly Lack[];
}

interface Known {
  readonly snapshot: Snapshot | undefined;
  /** Why the store does not tell. */
  readonly trouble?: FlanError | undefined;
  /** The network as the agent knows it, where the store does not tell. */
  readonly known: KnownNetwork | undefined;
}

export async function lookAtHost(context: Context, known: Known): Promise<HostLook> {
  let hidden = false;
  const unseen = () => hidden = true;
  let filterHidden = false;
  const unseenFirewall = () => filterHidden = true;
  let hooksHidden = false;
  const unseenHooks = () => hooksHidden = true;
  let wireguardHidden = false;
  const unseenWireguard = () => wireguardHidden = true;
  let ipsecHidden = false;
  const unseenIpsec = () => ipsecHidden = true;
  const seeing = {
    isProxyHidden: () => hidden,
    isFirewallHidden: () => filterHidden,
    isHooksHidden: () => hooksHidden,
    isWireguardHidden: () => wireguardHidden,
    isIpsecHidden: () => ipsecHidden,
  };
  try {
    return await withKernel(
      context,
      (kernel) => factsOf(context, { ...known, kernel, ...seeing }),
      { unseen, unseenFirewall, unseenHooks, unseenWireguard, unseenIpsec },
    );
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const lack = error.code === "unsupported" ? [lackOf("library", error)] : [];
    return { network: { unseen: error.message }, kernel: { unseen: error.message }, lacks: lack };
  }
}

type Looking = Known & Omit<Looked, "secrets">;

/** The same with a host that is open already. */
export async function factsOf(context: Context, looking: Looking): Promise<HostLook> {
  const { kernel } = looking;
  let stored: StoredNetwork;
  let network: StoredNetwork;
  let objects: readonly KernelObject[] = [];
  try {
    const isStarted = looking.snapshot?.config !== undefined;
    if (!isStarted) objects = await kernel.dump({ links: [], sysctls: [] });
    stored = networkOf(context, { ...looking, objects });
    network = heldNetwork(stored, context.settings.stateDir);
    objects = await kernel.dump({ links: devicesOf(network, context.settings.stateDir), sysctls: [] });
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const { message, hint } = error;
    const unseen = hint === undefined ? message : `${message} (${hint})`;
    return { network: { unseen }, kernel: { seen: { objects } }, lacks: [] };
  }
  const { facts, host } = await networkFacts(context, { ...looking, network, objects });
  const links = [...facts.devices, ...(host === undefined ? [] : [host.underlay.link])];
  const more = await kernel.dump({ links: [], sysctls: judgedSysctls(links), linksOnly: true });
  // First, because they are looked for by name, and there may be very many others.
  const whole = [...more.filter(({ kind }) => kind === "sysctl"), ...objects];
  return {
    network: { seen: facts },
    kernel: { seen: { objects: whole } },
    lacks: await lacksOf(kernel, needsOf(stored, context.settings)),
  };
}

/**
 * The network in the store; as the agent knows it, where the store is away; or what `flan up` would start. Throws
 * FlanError `store` where this host is in a network that cannot be seen: no other one may be guessed in its place.
 */
function networkOf(
  context: Context,
  { snapshot, trouble, known: agents, objects }: Known & { objects: readonly KernelObject[] },
): StoredNetwork {
  const { settings } = context;
  const known = snapshot ?? (agents?.store === settings.store ? agents.snapshot : undefined) ??
    { revision: 0, config: undefined, records: [], past: [] };
  if (known.config === undefined && keptSubnet(settings) !== undefined) {
    throw trouble ?? noNetwork(settings.store);
  }
  const config = known.config ?? { value: startingConfig(context, objects), revision: 0 };
  return { snapshot: known, ...networkIn({ ...known, config }, settings.store) };
}

async function networkFacts(
  { settings, clock }: Context,
  { network, objects, ...looked }: Looking & {
    network: StoredNetwork;
    objects: readonly KernelObject[];
  },
): Promise<{ facts: NetworkFacts; host: Host | undefined }> {
  const { config, snapshot } = network;
  const host = await hostOf(looked.kernel, { ...network, options: settings, objects, clock });
  if (host instanceof FlanError) {
    const nothing = { mtu: undefined, underlay: undefined, planned: [], ways: [], drift: [], intruders: [] };
    const own = keptSubnet(settings);
    const { devices } = network;
    const facts = { config, devices, planes: [network] as const, encrypted: encrypts(network) };
    return { facts: { ...facts, own, ...nothing, noUnderlay: host.message }, host: undefined };
  }
  const view = makeView(snapshot, { ...host, network: config });
  const compared = view.own === undefined
    ? undefined
    : await compare(looked, { network, host, settings, objects });
  const { backend, devices, planes } = compared?.moving ?? { ...network, planes: [network] as const };
  // Without a lease it is any host's place in the network that is judged.
  const planned = backend.plan({ ...view, peers: [], own: view.own ?? nowhereIn(config) }, host).objects;
  const apart = compared === undefined ? [] : [
    ...compared.drift.conflicts.map(({ wanted }) => wanted),
    ...compared.drift.changes.map(({ object }) => object),
  ];
  const own = view.own?.subnet ?? keptSubnet(settings);
  const underlay = host.underlay;
  const mtu = mtuOf({ backend, config }, host);
  const ways = compared === undefined ? [] : waysIn(compared.plan);
  const drifted = apart.map(describe);
  const noUnderlay = undefined;
  const intruders = compared === undefined ? [] : intrudersIn(compared);
  const own6 = view.own?.subnet6;
  return {
    facts: {
      config,
      devices,
      planes,
      ways,
      encrypted: encrypts({ backend }),
      own,
      own6,
      mtu,
      underlay,
      noUnderlay,
      planned,
      drift: drifted,
      intruders,
    },
    host,
  };
}

function intrudersIn({ drift, overridden }: Observation): NetworkFacts["intruders"] {
  return [
    ...drift.conflicts.flatMap(({ wanted: planned, found }) =>
      planned.kind === "route" && found.kind === "route" ? [{ planned, found }] : []
    ),
    ...overridden,
  ];
}

/** The subnet that this host keeps while it cannot be seen in the store. */
function keptSubnet({ stateDir, store }: Context["settings"]): string | undefined {
  const { previous, leasedIn } = readHostState(stateDir) ?? {};
  return leasedIn === store ? previous : undefined;
}

/** The host, or why it has no underlay. */
async function hostOf(
  kernel: Kernel,
  network: StoredNetwork & { options: HostOptions; objects: readonly KernelObject[]; clock: Clock },
): Promise<Host | FlanError> {
  return await observeHost(kernel, network).catch((error) => {
    if (error instanceof FlanError && error.op === "underlay") return error;
    throw error;
  });
}

function encrypts({ backend }: Pick<Network, "backend">): boolean {
  return backend.encrypts === true;
}

function mtuOf({ backend, config }: Pick<Network, "backend" | "config">, host: Host): number | undefined {
  try {
    return backend.mtu(config, host);
  } catch (error) {
    return unlessFlan(error);
  }
}

async function lacksOf(kernel: Kernel, needs: readonly Feature[]): Promise<Lack[]> {
  const found = await Promise.all(
    needs.map((feature) =>
      kernel.require([feature]).then(() => [], (error) => {
        if (!(error instanceof FlanError)) throw error;
        if (error.code !== "unsupported") return [];
        return [lackOf(feature === "proxy" ? "library" : "feature", error)];
      })
    ),
  );
  return found.flat();
}

function lackOf(what: Lack["what"], { message, hint }: FlanError): Lack {
  return { what, message, hint };
}

function unlessFlan(error: unknown): undefined {
  if (!(error instanceof FlanError)) throw error;
  return undefined;
}
