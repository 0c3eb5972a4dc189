/** Answers `flan ping`: measures, and tells the outcome as a document. */
import type { Lease } from "../../lease/lease.ts";
import { familyOf } from "../../net/ip.ts";
import { naturalOrder } from "../../net/natural_order.ts";
import type { Pair, Survey } from "../../probe/survey.ts";
import { isBad, sentence, stateOf } from "../../probe/verdict.ts";
import type { Agent } from "../agent.ts";
import { peerName } from "../health/peer_health.ts";
import { isCarried, type Measurable, ownAddress, peerCalled, probeAddress } from "./targets.ts";

/** Who is meant: one peer as somebody calls it, or everybody. */
export interface PingRequest {
  readonly to?: string | undefined;
}

/** Why there is nothing to measure. */
export type NoPing =
  | "off"
  | "no-lease"
  | "ipv6"
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
  const { plan, own, host, backend, config } = state;
  if (probing === undefined) return { none: "off" };
  if (own === undefined) return { none: "no-lease" };
  if (familyOf(own.subnet) === 6) return { none: "ipv6" };
  const called = to === undefined ? undefined : peerCalled(plan.peers, to);
  if (to !== undefined && called === undefined) {
    return { none: peerCalled([{ lease: own }], to) === undefined ? "unknown-peer" : "this-host" };
  }
  const peers = called === undefined ? plan.peers : [called];
  if (!peers.every(isCarried)) return { none: "not-carried" };
  if (peers.length >= MAX_HOSTS) return { none: "too-many" };
  const survey = await probing.survey(peers, { all: to === undefined });
  if (survey === undefined) return { none: "off" };
  const measurable = { plan: { ...plan, peers }, own, host, device: backend.devices(config)[0] ?? "" };
  return pingDocument(measurable, { survey, now: now() });
}

type Named = {
  readonly subnet: string;
  readonly publicIp: string;
  readonly node: string | null;
  /** `self`, `measured`, what kept it from measuring, or `no-flan` for a host that cannot be asked. */
  readonly row: string;
};

/** What was measured between this host and the peers of the plan, as people and scripts read it. */
export function pingDocument(
  measurable: Measurable,
  { survey, now }: { survey: Survey; now: number },
) {
  const { plan: { peers }, own, host, device } = measurable;
  const self = { ...nameOf(own!), node: host.node, row: "self" };
  const hosts = new Map<string | undefined, Named>([
    [ownAddress(measurable), self],
    ...peers.map(({ lease }) => {
      const address = probeAddress(lease, device);
      return [address, { ...nameOf(lease), row: survey.answers.get(address) ?? "no-flan" }] as const;
    }),
  ]);
  const pairs = survey.pairs.flatMap((pair) => {
    const [from, to] = [hosts.get(pair.from), hosts.get(pair.to)];
    return from === undefined || to === undefined ? [] : [pairDocument(pair, { from, to })];
  });
  return {
    node: host.node,
    ok: !pairs.some(({ state }) => isBad(state)) && ![...hosts.values()].some(isUnmeasured),
    // The same from wherever it is asked.
    hosts: [...hosts.values()].sort((a, b) => naturalOrder(a.subnet, b.subnet)),
    items: pairs.sort((a, b) => naturalOrder(a.from, b.from) || naturalOrder(a.to, b.to)),
    generatedAt: new Date(now).toISOString(),
  } satisfies Record<string, unknown>;
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
