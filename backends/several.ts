/**
 * Several data planes at once, for a network that moves from one backend to another. Each peer is sent to by the plane
 * that it announces, and this host takes packets from all of them: devices, and what a plane has to know of who sends,
 * are there for every plane, but only one of them has the routes to a peer.
 */
import { byRank, isBarrier } from "../kernel/relations.ts";
import { defaultMetric, type KernelObject, keyOf, type Link, type Route } from "../kernel/state.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { OtherPlane } from "../lease/other_planes.ts";
import type { View } from "../lease/view.ts";
import { isObject } from "../lease/go_json.ts";
import { parseCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { type Identity, withIdentity } from "./identity.ts";
import { type IsMet, knocking, metIn } from "./several_met.ts";

/** One of them. */
export interface Plane {
  readonly backend: Backend;
  readonly config: NetworkConfig;
  /** What this host is on its devices; undefined where that is the host's own. */
  readonly identity?: Identity;
}

export type Planes = readonly [Plane, ...Plane[]];

/** What of a lease, or beside it, says how its host is reached. */
type Announced = Pick<Lease, "backendType" | "backendData"> | OtherPlane;

/**
 * The planes as one backend, the one that the network is to have first. What it says of itself is the first one's,
 * except its plan, its secrets, its epochs, its MTU, which is that of the narrowest, and whether all of it is encrypted.
 */
export function several(planes: Planes, sending: Sending = FREELY): Backend {
  const [{ backend: first }, ...others] = planes;
  const { encrypts: _, ...rest } = first;
  const timed = planes.find(({ backend }) => backend.epochs !== undefined);
  return {
    ...rest,
    ...(timed && { epochs: (config: NetworkConfig) => timed.backend.epochs!(configOn(timed, config)) }),
    ...(planes.every(({ backend }) => backend.encrypts) ? { encrypts: true } : {}),
    check: (config) => first.check(config),
    requireHost: (config, host) => first.requireHost(config, host),
    secrets: (config) =>
      new Map(planes.flatMap((plane) => [...plane.backend.secrets?.(configOn(plane, config)) ?? []])),
    startup: (config) => first.startup(config),
    devices: (config) => first.devices(config),
    announce: (config, host) => first.announce(config, host),
    mtu: (config, host) =>
      Math.min(
        first.mtu(config, host),
        ...others.map((plane) => plane.backend.mtu(configOn(plane, config), hostOn(plane, host))),
      ),
    plan: (view, host) => planOver(view, { planes, host, ...sending }),
  };
}

/**
 * Whether this host may send by a plane, and to that peer: not before its lease has said so, for as long peers may take
 * theirs down, nor before the peer knows it, where the plane takes nothing from those whom it does not know.
 */
export type MaySend = (plane: Plane, to?: Lease) => boolean;

export interface Sending {
  readonly maySend: MaySend;
  readonly isMet: IsMet;
}

/** By whatever plane there is. */
export const FREELY: Sending = { maySend: () => true, isMet: () => true };

/** Whether the peer has met this host on a plane with keys. */
export type HasMet = (lease: Lease, plane: Plane) => boolean;

export interface Carriers {
  readonly planes: Planes;
  readonly host: Host;
  readonly maySend: MaySend;
  /** See {@link meetings}; all have where it is left out. */
  readonly hasMet?: HasMet;
}

/**
 * Which plane a peer is sent to by: the one that its lease announces, or else one beside it, if the peer knows this host
 * there. Where this host may not send by any of them, it does all the same: there is no other way.
 */
export function carrierOf(lease: Lease, { planes, host, maySend, hasMet }: Carriers): Plane {
  const [first] = planes;
  const announced = planes.filter((plane) => announces(lease, plane, host));
  const beside = planes.filter((plane) =>
    lease.otherPlanes?.some((other) => announces(other, plane, host)) ?? false
  );
  const there = [...announced, ...beside];
  const allowed = there.filter((plane) => maySend(plane));
  const isKnown = (plane: Plane) =>
    maySend(plane, lease) && (!plane.backend.hasKey || (hasMet?.(lease, plane) ?? true));
  return allowed.find(isKnown) ?? allowed[0] ?? there[0] ?? first;
}

/** Who of the view's peers has met this host where, by what the planes would have of them. */
export function meetings(
  view: View,
  { planes, host, isMet }: { planes: Planes; host: Host; isMet: IsMet },
): HasMet {
  const keyed = planes.filter(({ backend }) => backend.hasKey);
  return meetingsIn(keyed.map((plane) => partOf(plane, view, host)), isMet);
}

function meetingsIn(parts: readonly Part[], isMet: IsMet): HasMet {
  const keyed = parts.filter(({ plane }) => plane.backend.hasKey);
  const met = new Map(keyed.map(({ plane, plan, peers }) => [plane, metIn(plan, peers, isMet)]));
  return (lease, plane) => met.get(plane)?.has(lease) ?? false;
}

/** Whether packets by this plane arrive at the host that says so. */
export function announces(said: Announced, plane: Plane, host: Host): boolean {
  return announcing(plane, host)(said);
}

/** The same for many hosts. */
export function announcing(plane: Plane, host: Host): (said: Announced) => boolean {
  const own = announcementOn(plane, host);
  const vni = vniIn(own.backendData);
  return (said) => said.backendType === own.backendType && vniIn(said.backendData) === vni;
}

/** Whether the holder of the lease says that it may send by the plane, which nobody must take down then. */
export function saysItSends(lease: Lease, plane: Plane, host: Host): boolean {
  return announces(lease, plane, host) ||
    (lease.otherPlanes?.some((other) => other.sends && announces(other, plane, host)) ?? false);
}

/** What this host's lease says where it announces the plane. */
export function announcementOn(plane: Plane, host: Host) {
  return plane.backend.announce(plane.config, hostOn(plane, host));
}

/** What of the plane must stand before a packet can arrive by it, whoever sends: the objects without any peer. */
export function standOf(plane: Plane, view: View, host: Host): readonly KernelObject[] {
  const alone = { ...view, network: configOn(plane, view.network), peers: [], refused: [] };
  return plane.backend.plan(alone, hostOn(plane, host)).objects;
}

/** Two VXLAN networks of one type are two planes; of no other backend there can be two on a host. */
export function vniIn(data: Json | undefined): Json | undefined {
  if (data === undefined || !isObject(data)) return undefined;
  return Object.entries(data).find(([key]) => key.toLowerCase() === "vni")?.[1];
}

/** The network as it is now, with this plane's backend. */
function configOn({ config }: Plane, network: NetworkConfig): NetworkConfig {
  return { ...network, backendType: config.backendType, backendOptions: config.backendOptions };
}

function hostOn({ identity }: Plane, host: Host): Host {
  return identity === undefined ? host : withIdentity(host, identity);
}

/** A lease as it would be with what its host announces beside it; the same one each time. */
const leaseWith = memo((other: OtherPlane, lease: Lease): Lease => {
  const { backendV6Data: _, ...rest } = lease;
  const { backendType, backendData, backendV6Data } = other;
  return { ...rest, backendType, backendData, ...(backendV6Data === undefined ? {} : { backendV6Data }) };
});

function leaseOn(plane: Plane, lease: Lease, host: Host): Lease {
  if (lease.otherPlanes === undefined || announces(lease, plane, host)) return lease;
  const other = lease.otherPlanes.find((one) => announces(one, plane, host));
  return other === undefined ? lease : leaseWith(other, lease);
}

/**
 * What lets in packets by one plane that another one keeps out: those of all peers, until this host is told to use, and
 * announces, the latter; from then on those of peers that say that they send by another one.
 */
export function admittedBy(planes: Planes, view: View, host: Host): readonly KernelObject[] {
  const [first] = planes;
  return planes.flatMap((plane) => {
    const others = planes.filter((other) => other !== plane);
    if (plane.backend.admit === undefined || others.length === 0) return [];
    const isOpen = plane !== first || view.own === undefined || !announces(view.own, plane, host);
    const peers = isOpen
      ? view.peers
      : view.peers.filter((lease) => others.some((other) => saysItSends(lease, other, host)));
    return plane.backend.admit({ ...view, network: configOn(plane, view.network) }, { host, peers });
  });
}

interface Part {
  readonly plane: Plane;
  readonly plan: Plan;
  /** By the lease as it stands in the view. */
  readonly peers: ReadonlyMap<Lease, PeerPlan>;
}

function planOver(
  view: View,
  { planes, host, maySend, isMet }: Sending & { planes: Planes; host: Host },
): Plan {
  const [first] = planes;
  if (planes.length === 1 && view.peers.every(({ otherPlanes }) => otherPlanes === undefined)) {
    return first.backend.plan(view, host);
  }
  const parts = planes.map((plane) => partOf(plane, view, host));
  const carriers = { planes, host, maySend, hasMet: meetingsIn(parts, isMet) };
  const carried = new Map(view.peers.map((lease) => [lease, carrierOf(lease, carriers)]));
  const kept = parts.map((part) => withOwnRoutes(part, { carried, isFirst: part.plane === first }));
  const peers = view.peers.flatMap((lease) => kept.flatMap((part) => part.peers.get(lease) ?? []));
  const objects = together([admittedBy(planes, view, host), ...kept.map((part) => part.objects)]);
  return {
    // Who has no other plane sends to all of them as they are.
    objects: planes.length === 1 ? objects : knocking(objects, isMet),
    peers,
    refused: refusedBy(parts[0]!.plan.refused, peers),
  };
}

function partOf(plane: Plane, view: View, host: Host): Part {
  const there = view.peers.map((lease) => ({ lease, on: leaseOn(plane, lease, host) }));
  const network = configOn(plane, view.network);
  const plan = plane.backend.plan(
    { ...view, network, peers: there.map(({ on }) => on) },
    hostOn(plane, host),
  );
  const planned = new Map(plan.peers.map((peer) => [peer.lease, peer]));
  const peers = there.flatMap(({ lease, on }): [Lease, PeerPlan][] => {
    const peer = planned.get(on);
    return peer === undefined ? [] : [[lease, { ...peer, lease }]];
  });
  return { plane, plan, peers: new Map(peers) };
}

/**
 * A plane without the routes to those peers that are sent to by another one. The route of a whole network, which other
 * planes may want, too, becomes one for each of its own peers, unless the plane is the one that stays.
 */
function withOwnRoutes(
  { plane, plan, peers }: Part,
  { carried, isFirst }: { carried: ReadonlyMap<Lease, Plane>; isFirst: boolean },
): { objects: readonly KernelObject[]; peers: ReadonlyMap<Lease, PeerPlan> } {
  const anybodys = new Set([...carried.keys()].flatMap(subnetsOf));
  const mine = [...peers].filter(([lease]) => carried.get(lease) === plane);
  const own = new Set(mine.flatMap(([lease]) => subnetsOf(lease)));
  const isWide = (route: Route) => !isFirst && !isBarrier(route) && !anybodys.has(route.destination);
  const routes = plan.objects.filter((object): object is Route => object.kind === "route");
  const wide = routes.filter(isWide);
  const made = new Map(mine.map(([lease, peer]) => {
    const copies = wide.flatMap((route) => peer.keys.includes(keyOf(route)) ? narrowed(route, lease) : []);
    const dropped = new Set(wide.map(keyOf));
    const keys = [...peer.keys.filter((key) => !dropped.has(key)), ...copies.map(keyOf)];
    return [lease, { peer: { ...peer, keys }, copies }];
  }));
  const stay = routes.filter((route) =>
    !isWide(route) && (own.has(route.destination) || !anybodys.has(route.destination))
  );
  const nexthops = new Set(stay.map(({ nexthop }) => nexthop));
  const others = plan.objects.filter((object) =>
    object.kind !== "route" && (object.kind !== "nexthop" || nexthops.has(object.id))
  );
  const copies = [...made.values()].flatMap((one) => one.copies);
  return {
    objects: [...others, ...stay, ...copies],
    peers: new Map([...made].map(([lease, { peer }]) => [lease, peer])),
  };
}

function subnetsOf({ subnet, subnet6 }: Lease): string[] {
  return subnet6 === undefined ? [subnet] : [subnet, subnet6];
}

/** The route for the lease's own subnet of the same family. */
function narrowed(route: Route, lease: Lease): Route[] {
  const { family } = parseCidr(route.destination);
  return subnetsOf(lease).filter((subnet) => parseCidr(subnet).family === family)
    .map((destination) => ({ ...route, destination, metric: defaultMetric(destination) }));
}

/** Each key once, the first plane's where two want it, and all devices as narrow as the narrowest. */
function together(parts: readonly (readonly KernelObject[])[]): readonly KernelObject[] {
  const all = new Map<string, KernelObject>();
  for (const object of parts.flat()) {
    const key = keyOf(object);
    if (!all.has(key)) all.set(key, object);
  }
  const links = [...all.values()].filter((object): object is Link => object.kind === "link");
  const mtu = Math.min(...links.map((link) => link.mtu));
  return [...all.values()].map((object) => object.kind === "link" ? { ...object, mtu } : object).sort(byRank);
}

/** What the first plane refuses and no other one carries. */
function refusedBy(refused: readonly Refusal[], peers: readonly PeerPlan[]): readonly Refusal[] {
  const carried = new Set(peers.flatMap(({ lease }) => subnetsOf(lease)));
  return refused.filter(({ subnet }) => !carried.has(subnet));
}
