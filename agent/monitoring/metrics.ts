/** What the agent knows, as metrics: few, with names that do not change. Gathered when asked for, and never kept. */
import type { Agent } from "../agent.ts";
import type { Counts } from "./counts.ts";
import { doctorCodes } from "../health/doctor_codes.ts";
import { exposition, type Metric, numberText, type Sample } from "./exposition.ts";
import { type HealthCode, healthCodes } from "../health/codes.ts";
import type { PeerState } from "../../probe/watch.ts";
import { apart } from "../status.ts";
import type { Tally } from "./tally.ts";

export interface MetricFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly version: string;
  /** Of the udp backend's proxy; undefined where none runs or it does not answer. */
  readonly proxy: Readonly<Record<string, number>> | undefined;
}

/** Counters of a proxy, which may be of another version, by direction and what became of the packet. */
const PROXY_COUNTER = /^(in|out)_(?:(packets)|drop_([a-z][a-z_]{0,40}))$/;

/** What an agent finds by itself. A 0 for what only `flan doctor` looks for would say that it was looked for. */
const found = Object.entries(healthCodes).filter(([code]) => !Object.hasOwn(doctorCodes, code));

/** All metrics in the text format. Of an agent that is still joining there is `flan_build_info` only. */
export function metricsText(agent: Agent | undefined, facts: MetricFacts): string {
  const build: Metric = {
    name: "flan_build_info",
    type: "gauge",
    help: "The version of flan; always 1.",
    samples: [{ labels: { version: facts.version }, value: 1 }],
  };
  if (agent === undefined) return exposition([build]);
  return exposition([
    build,
    ...networkMetrics(agent),
    ...storeMetrics(agent, facts),
    ...workMetrics(agent),
    ...proxyMetrics(facts.proxy ?? {}),
    ...peerMetrics(agent.probing?.peers ?? new Map()),
  ]);
}

function networkMetrics({ state: { plan, report }, health }: Agent): Metric[] {
  const problems = Map.groupBy(health.list(), ({ code }) => code);
  return [
    {
      name: "flan_peers",
      type: "gauge",
      help: "Peers that are planned to be reached.",
      samples: [{ value: plan.peers.length }],
    },
    {
      name: "flan_problems",
      type: "gauge",
      help: "Problems of now by their health code; those of severity high make the host not ready.",
      samples: found.map(([code, { severity }]) => ({
        labels: { code, severity },
        value: problems.get(code as HealthCode)?.length ?? 0,
      })),
    },
    {
      name: "flan_drift_objects",
      type: "gauge",
      help: "Objects that are not as planned, by kind; kind unseen is 1 while the kernel cannot be read.",
      samples: driftSamples(plan.objects, report),
    },
  ];
}

function driftSamples(
  planned: Agent["state"]["plan"]["objects"],
  report: Agent["state"]["report"],
): Sample[] {
  const counts = new Map<string, number>([["unseen", report.error === undefined ? 0 : 1]]);
  for (const { kind } of planned) counts.set(kind, 0);
  for (const { kind } of apart(report)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].sort().map(([kind, value]) => ({ labels: { kind }, value }));
}

function storeMetrics({ state: { own }, store }: Agent, { now }: MetricFacts): Metric[] {
  const ends = own === undefined ? 0 : own.expires;
  return [
    {
      name: "flan_store_up",
      type: "gauge",
      help: "Whether the store answers.",
      samples: [{ value: store.since === undefined ? 0 : 1 }],
    },
    {
      name: "flan_store_watch_age_seconds",
      type: "gauge",
      help: "Time since the store said something; one in which nothing happens may be silent for long.",
      samples: store.heard === undefined ? [] : [{ value: secondsBetween(store.heard, now) }],
    },
    {
      name: "flan_lease_expires_seconds",
      type: "gauge",
      help:
        "Time to the end of this host's lease; 0 without one, absent where it has no end that is known here.",
      samples: ends === undefined || ends === Infinity ? [] : [{ value: secondsBetween(now, ends) }],
    },
  ];
}

function workMetrics({ repairs, tally }: Agent): Metric[] {
  return [
    {
      name: "flan_repairs_total",
      type: "counter",
      help:
        "Objects put back by kind, and by the program that had changed them (unknown where nobody tells).",
      samples: samplesOf(repairs.counts),
    },
    {
      name: "flan_leases_rejected_total",
      type: "counter",
      help: "Leases of others that were refused, by the reason.",
      samples: samplesOf(tally.rejected),
    },
    {
      name: "flan_netlink_overruns_total",
      type: "counter",
      help: "Times that the kernel had more to tell than there was room for.",
      samples: [{ value: tally.overruns }],
    },
    {
      name: "flan_reconcile_seconds",
      type: "histogram",
      help: "How long comparing the plan with the kernel, and mending it, took.",
      samples: histogram(tally.times),
    },
  ];
}

/** By subnet. What is not known yet is left out. */
function peerMetrics(peers: ReadonlyMap<string, PeerState>): Metric[] {
  const samples = (value: (state: PeerState) => number | undefined) =>
    [...peers].flatMap(([peer, state]): Sample[] => {
      const known = value(state);
      return known === undefined ? [] : [{ labels: { peer }, value: known }];
    });
  return [
    {
      name: "flan_peer_up",
      type: "gauge",
      help: "Whether the peer with this subnet answers over the network.",
      samples: samples(({ isUp }) => isUp === undefined ? undefined : Number(isUp)),
    },
    {
      name: "flan_peer_rtt_seconds",
      type: "gauge",
      help: "The last round trip to the peer.",
      samples: samples(({ rtt }) => rtt === undefined ? undefined : rtt / 1000),
    },
    {
      name: "flan_path_mtu_bytes",
      type: "gauge",
      help: "The largest packet known to get through to the peer.",
      samples: samples(({ mtu }) => mtu === 0 ? undefined : mtu),
    },
  ];
}

function proxyMetrics(counters: Readonly<Record<string, number>>): Metric[] {
  const packets: Sample[] = [];
  const dropped: Sample[] = [];
  for (const [name, value] of Object.entries(counters)) {
    const [, dir, isPackets, reason] = PROXY_COUNTER.exec(name) ?? [];
    if (dir === undefined) continue;
    if (isPackets !== undefined) packets.push({ labels: { dir }, value });
    else dropped.push({ labels: { dir, reason: reason! }, value });
  }
  return [
    {
      name: "flan_proxy_packets_total",
      type: "counter",
      help: "Packets that the udp backend's proxy carried.",
      samples: packets,
    },
    {
      name: "flan_proxy_dropped_total",
      type: "counter",
      help: "Packets that the udp backend's proxy dropped, by the reason.",
      samples: dropped,
    },
  ];
}

function samplesOf(counts: Counts): Sample[] {
  return counts.list().map(({ labels, count }) => ({ labels, value: count }));
}

function histogram({ buckets, sum }: Tally["times"]): Sample[] {
  return [
    ...buckets.map(({ bound, count }) => ({
      suffix: "_bucket",
      labels: { le: numberText(bound) },
      value: count,
    })),
    { suffix: "_sum", value: sum },
    { suffix: "_count", value: buckets.at(-1)!.count },
  ];
}

/** Never negative: clocks are set, and leases end. */
function secondsBetween(from: number, to: number): number {
  return Math.max(0, (to - from) / 1000);
}
