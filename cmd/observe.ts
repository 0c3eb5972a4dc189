/** The plan of this host and what the kernel has of it, read and not touched: for `routes` and for `--dry-run`. */
import { barriersBefore } from "../agent/barriers.ts";
import { planFor } from "../agent/firewall.ts";
import { heldNetwork } from "../agent/held_network.ts";
import { type HostOptions, observeHost } from "../agent/host.ts";
import { readHostState } from "../agent/host_state.ts";
import { askLingering, askNetwork } from "../agent/known_network.ts";
import { readJoined } from "../agent/joined.ts";
import { networkIn, ownerOf } from "../agent/network.ts";
import { asItMoves, devicesOf, type MovingNetwork } from "../agent/planes.ts";
import { underlayTrouble } from "../agent/underlay_trouble.ts";
import type { Host, Plan } from "../backends/backend.ts";
import { type Drift, drift } from "../kernel/drift.ts";
import { requestFor } from "../kernel/dump_request.ts";
import { type Overridden, overridden } from "../kernel/overridden.ts";
import { claims } from "../kernel/ownership.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type KernelObject, ROUTE_PROTOCOL } from "../kernel/state.ts";
import { keysMet } from "../kernel/wireguard.ts";
import { subnetOfKey } from "../lease/key.ts";
import type { Lease } from "../lease/lease.ts";
import { networksOf } from "../lease/stack.ts";
import type { LeaseRecord, Snapshot, Store } from "../lease/store.ts";
import { makeView, type View } from "../lease/view.ts";
import { isStoreTrouble } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { tellInstead } from "./agent_knows.ts";
import { type Context, readNetwork, socketOf, type StoredNetwork, withStore } from "./context.ts";
import {
  type Looked,
  type Opened,
  withLook,
  withoutFirewall,
  withoutHooks,
  withoutIpsec,
  withoutProxy,
  withoutWireguard,
} from "./looking.ts";

export interface Observation extends StoredNetwork {
  readonly node: string;
  readonly view: View;
  readonly host: Host;
  /** The network with the former backends that the host has, too. */
  readonly moving: MovingNetwork;
  readonly plan: Plan;
  readonly drift: Drift;
  /** Routes of others that win over planned ones by a longer prefix. */
  readonly overridden: readonly Overridden[];
  /** What is in the kernel: all that the plan was compared with. */
  readonly actual: readonly KernelObject[];
}

/** What a running agent makes of it, too. */
export interface Observed extends Observation {
  /** The subnets of the peers that are in the plan only because the agent still keeps them. */
  readonly expired: ReadonlySet<string>;
  /** What is wrong with the underlay, which is nothing of flan's. */
  readonly trouble: string | undefined;
}

/**
 * Reads store and kernel once, and judges as the agent does that runs here, if one does; where the store is in trouble,
 * by what that agent knows. Throws one of the `store…` codes where there is none, and `invalid` where there is no
 * underlay.
 */
export async function observe(context: Context): Promise<Observed> {
  return await withObservation(context, (observed) => Promise.resolve(observed));
}

/** Does so, and runs `work` with it while the kernel can still be asked. */
export async function withObservation<T>(
  context: Context,
  work: (observed: Observed, looked: Opened) => Promise<T>,
): Promise<T> {
  return await withStore(
    context,
    (store) =>
      withLook(context, async (looked) => await work(await observeIn(context, { store, looked }), looked)),
  );
}

/** Does so with a store and a host that are open already. */
export async function observeIn(
  context: Context,
  { store, looked }: { store: Store; looked: Looked },
): Promise<Observed> {
  const { settings } = context;
  // Asked at once, so that what the store holds and whom the agent keeps are of one time.
  const asked = askLingering(socketOf(settings), context);
  const { network: stored, lingering } = await readNetwork(store).then(
    async (network) => ({ network, lingering: await asked }),
    (error) => instead(error, context),
  );
  const network = heldNetwork(stored, settings.stateDir);
  const { snapshot, gone } = withLingering(network.snapshot, lingering);
  const links = devicesOf(network, settings.stateDir);
  const objects = await looked.kernel.dump({ links, sysctls: [] });
  const host = await observeHost(looked.kernel, {
    ...network,
    options: settings,
    objects,
    clock: context.clock,
  });
  const isJoined = readJoined(settings.runDir) !== undefined ||
    barriersBefore({ stateDir: settings.stateDir, store: store.url }).length > 0;
  const seen = { network: { ...network, snapshot }, host, settings, objects, isJoined };
  const observation = await compare(looked, seen);
  const { underlay } = host;
  const trouble = await underlayTrouble(looked.kernel, { objects, underlay, peers: observation.plan.peers });
  if (trouble !== undefined) console.error(`flan: ${printable(trouble)}`);
  return { ...observation, trouble, expired: new Set(gone.map(({ key }) => subnetOfKey(key) ?? key)) };
}

async function instead(
  error: unknown,
  context: Context,
): Promise<{ network: StoredNetwork; lingering: readonly LeaseRecord[] }> {
  if (!isStoreTrouble(error)) throw error;
  const known = await askNetwork(socketOf(context.settings), context);
  if (known?.store !== context.settings.store) throw error;
  tellInstead(error, { heard: known.heard, now: context.clock.now() });
  const network = { snapshot: known.snapshot, ...networkIn(known.snapshot, known.store) };
  return { network, lingering: known.lingering };
}

/** The snapshot with those of the records that are gone from it. */
function withLingering(snapshot: Snapshot, kept: readonly LeaseRecord[]) {
  if (kept.length === 0) return { snapshot, gone: kept };
  const there = new Set(snapshot.records.map(({ key }) => key));
  const gone = kept.filter(({ key }) => !there.has(key));
  return { snapshot: { ...snapshot, records: [...snapshot.records, ...gone] }, gone };
}

/**
 * Holds what can be seen of the host against the plan for `host`. `objects` is a dump with those on the network's
 * device; `own` is the lease it would have, where it has none yet.
 */
export async function compare(
  { kernel, isProxyHidden, isFirewallHidden, isHooksHidden, isWireguardHidden, isIpsecHidden }: Looked,
  { network, host, settings: { stateDir, encrypt }, objects, own, isJoined = false }: {
    network: StoredNetwork;
    host: Host;
    settings: Pick<HostOptions, "stateDir" | "encrypt">;
    objects: readonly KernelObject[];
    own?: Lease;
    /** Whether it is in the network though it may have no lease just now; one that is not has nothing of it. */
    isJoined?: boolean;
  },
): Promise<Observation> {
  const { config, snapshot } = network;
  const found = makeView(snapshot, { ...host, network: config });
  const view = { ...found, own: own ?? found.own };
  const state = readHostState(stateDir);
  const moving = asItMoves(network, {
    stateDir,
    encrypt,
    macs: state?.macs ?? {},
    lease: view.own,
    host,
    met: isWireguardHidden() ? undefined : keysMet(objects),
  });
  const { backend, devices } = moving;
  const whole = view.own === undefined && !isJoined
    ? { objects: [], peers: [], refused: [] }
    : planFor(backend, view, { ...host, wanted: askedFor(objects, devices) });
  const filtered = isFirewallHidden() ? withoutFirewall(whole) : whole;
  const hookless = isHooksHidden() ? withoutHooks(filtered) : filtered;
  const proxyless = isProxyHidden() ? withoutProxy(hookless) : hookless;
  const wireless = isWireguardHidden() ? withoutWireguard(proxyless) : proxyless;
  const plan = isIpsecHidden() ? withoutIpsec(wireless) : wireless;
  const actual = await withDetails(kernel, { objects, plan });
  const { previous, previous6, macs = {}, networks = [] } = state ?? {};
  const former = [previous, previous6].filter((subnet) => subnet !== undefined);
  const owner = ownerOf({ ...network, devices }, {
    node: host.node,
    former,
    networks,
    macs: Object.values(macs),
  });
  return {
    ...network,
    node: host.node,
    host,
    view,
    moving,
    plan,
    actual,
    drift: drift(plan.objects, actual, owner),
    overridden: overridden(plan, { networks: networksOf(config), own: view.own }, {
      actual,
      claim: claims(owner, actual),
    }),
  };
}

/** The objects with what of them is read only where the plan has a word about it. */
async function withDetails(
  kernel: Kernel,
  { objects, plan }: { objects: readonly KernelObject[]; plan: Plan },
): Promise<readonly KernelObject[]> {
  const { sysctls, txChecksums } = requestFor(plan.objects, []);
  if (sysctls.length === 0 && txChecksums.length === 0) return objects;
  const details = await kernel.dump({ links: [], sysctls, txChecksums, linksOnly: true });
  const switched = new Map(details.flatMap((one) => one.kind === "link" ? [[one.name, one.txChecksum]] : []));
  return [
    ...details.filter(({ kind }) => kind === "sysctl"),
    // All else of a link is known: what is read with its objects, as by WireGuard, is in the first dump alone.
    ...objects.map((one) => {
      const txChecksum = one.kind === "link" ? switched.get(one.name) : undefined;
      return txChecksum === undefined ? one : { ...one, txChecksum };
    }),
  ];
}

/** The addresses that the agent answered for (on-demand mode): what was asked for stands in the kernel only. */
function askedFor(objects: readonly KernelObject[], devices: readonly string[]): ReadonlySet<string> {
  const answered = objects.filter((object) =>
    object.kind === "neighbour" && devices.includes(object.link) && object.protocol === ROUTE_PROTOCOL
  );
  return new Set(answered.map((object) => object.kind === "neighbour" ? object.ip : ""));
}
