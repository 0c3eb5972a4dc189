/** Answers `flan ping`: measures, and tells the outcome as a document. */
import type { PeerPlan } from "../../backends/backend.ts";
import type { Lease } from "../../lease/lease.ts";
import { naturalOrder } from "../../net/natural_order.ts";
import type { Pair, Survey } from "../../probe/survey.ts";
import { isBad, sentence, stateOf } from "../../probe/verdict.ts";
import type { Agent } from "../agent.ts";
import { peerName } from "../health/peer_health.ts";
import { halvesOf } from "./halves.ts";
import { isCarried, type Measurable, ownAddress, peerCalled, probeAddress } from "./targets.ts";

/** Who is meant: one peer as somebody calls it, or everybody. */
export interface PingRequest {
  readonly to?: string | undefined;
}

/** Why there is nothing to measure. */
export type NoPing =
  | "off"
  | "no-lease"
  | "unknown-peer"
  | "this-host"
  | "not-carried"
  | "too-many";

/** So many hosts are measured between at once; among more of them, some have to be named. */
export const MAX_HOSTS = 100;

/** A document of `flan ping`, without the name of its schema, or `{ none: … }`. */
export type Ping = ReturnType<typeof pingDocument> | { readonly none: NoPing };

/** Takes about a second, or ten where hosts do not answer; one at a time. */
export async function ping(
  { probing, state }: Pick<Agent, "probing" | "state">,
  { to }: PingRequest,
  now: () => number,
): Promise<Ping> {
  const { own, backend, config } = state;
  if (probing === undefined) return { none: "off" };
  if (own === undefined) return { none: "no-lease" };
  const halves = halvesOf({ ...state, devices: backend.devices(config) });
  const wanted = halves.map((half) => ({ ...half, plan: { ...half.plan, peers: peersOf(half, to) } }))
    .filter(({ own, plan }) => own !== undefined && (to === undefined || plan.peers.length > 0));
  if (to !== undefined && wanted.length === 0) {
    const isThis = halves.some(({ own }) =>
      own !== undefined && peerCalled([{ lease: own }], to) !== undefined
    );
    return { none: isThis ? "this-host" : "unknown-peer" };
  }
  if (!wanted.every(({ plan }) => plan.peers.every(isCarried))) return { none: "not-carried" };
  if (wanted.some(({ plan }) => plan.peers.length >= MAX_HOSTS)) return { none: "too-many" };
  const surveys = await Promise.all(
    wanted.map(({ family, plan }) => probing.survey(family, plan.peers, { all: to === undefined })),
  );
  // What was measured of one family must not pass for the other one, too.
  if (!surveys.every((survey) => survey !== undefined)) return { none: "off" };
  return pingDocument(wanted.map((half, i) => ({ ...half, survey: surveys[i]! })), now());
}

/** All peers of the family, or whom somebody means: an address or a subnet means one family, a node all that it has. */
function peersOf({ plan: { peers } }: Measurable, to: string | undefined): readonly PeerPlan[] {
  if (to === undefined) return peers;
  const called = peerCalled(peers, to);
  return called === undefined ? [] : [called];
}

/** What there was to measure by a family, and what came of it. */
export interface Surveyed extends Measurable {
  readonly survey: Survey;
}

type FamilyName = "ipv4" | "ipv6";

type Named = {
  readonly subnet: string;
  readonly publicIp: string;
  readonly node: string | null;
  /** `self`, `measured`, what kept it from measuring, or `no-flan` for a host that cannot be asked. */
  readonly row: string;
  readonly family: FamilyName;
};

/** What was measured between this host and its peers, as people and scripts read it: by one family after the other. */
export function pingDocument(halves: readonly Surveyed[], now: number) {
  const parts = halves.map(partOf);
  const [hosts, items] = [parts.flatMap(({ hosts }) => hosts), parts.flatMap(({ items }) => items)];
  return {
    node: halves[0]!.host.node,
    ok: !items.some(({ state }) => isBad(state)) && !hosts.some(isUnmeasured),
    hosts,
    items,
    generatedAt: new Date(now).toISOString(),
  } satisfies Record<string, unknown>;
}

/** The same from wherever it is asked. */
function partOf(half: Surveyed) {
  const { plan: { peers }, own, host, device, survey } = half;
  const family: FamilyName = `ipv${half.family}`;
  const hosts = new Map<string | undefined, Named>([
    [ownAddress(half), { ...nameOf(own!), node: host.node, row: "self", family }],
    ...peers.map(({ lease }) => {
      const address = probeAddress(lease, device);
      return [address, { ...nameOf(lease), row: survey.answers.get(address) ?? "no-flan", family }] as const;
    }),
  ]);
  const items = survey.pairs.flatMap((pair) => {
    const [from, to] = [hosts.get(pair.from), hosts.get(pair.to)];
    return from === undefined || to === undefined ? [] : [pairDocument(pair, { from, to })];
  });
  return {
    hosts: [...hosts.values()].sort((a, b) => naturalOrder(a.subnet, b.subnet)),
    items: items.sort((a, b) => naturalOrder(a.from, b.from) || naturalOrder(a.to, b.to)),
  };
}

/** Whether a host should have measured and did not: nobody knows how its packets get through. */
export function isUnmeasured({ row }: Pick<Named, "row">): boolean {
  return row === "silent" || row === "busy" || row === "refused";
}

function pairDocument(pair: Pair, { from, to }: { from: Named; to: Named }) {
  const { measured, arrived } = pair;
  const state = stateOf(pair);
  const names = { from: peerName(from), to: peerName(to) };
  return {
    from: from.subnet,
    to: to.subnet,
    family: from.family,
    state,
    sent: measured?.sent ?? null,
    received: measured?.received ?? null,
    arrived: arrived ?? null,
    rttMs: measured === undefined || measured.received === 0 ? null : {
      min: milliseconds(measured.fastest),
      avg: milliseconds(measured.average),
      max: milliseconds(measured.slowest),
    },
    mtu: measured?.mtu || null,
    tooLarge: measured?.tooLarge || null,
    how: measured?.how ?? null,
    code: state === "lost" ? "peer-unreachable" : state === "hole" ? "path-mtu-hole" : null,
    message: sentence(pair, names) ?? null,
  };
}

function nameOf({ subnet, publicIp, node }: Lease) {
  return { subnet, publicIp, node: node ?? null };
}

/** From microseconds. */
function milliseconds(microseconds: number): number {
  return Math.round(microseconds) / 1000;
}
