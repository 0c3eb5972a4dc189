/** The agent's state as the documents that people and scripts read. Fields are only ever added. */
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import type { Lease } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { Backend, Host } from "../backends/backend.ts";
import type { Report } from "../kernel/reconcile.ts";
import { type KernelObject, keyOf } from "../kernel/state.ts";
import type { Agent } from "./agent.ts";
import { factsOf } from "./health/codes.ts";
import { gatewayOf } from "./subnet_env.ts";

/** A lease as every command shows it. */
export function leaseDocument(lease: Lease, own: string | undefined) {
  return {
    subnet: lease.subnet,
    publicIp: lease.publicIp,
    backend: lease.backendType || "udp",
    backendData: lease.backendData ?? null,
    node: lease.node ?? null,
    own: own !== undefined && lease.node === own,
    reservation: lease.expires === undefined,
    expires: endOf(lease.expires),
    revision: lease.revision,
    ...(lease.subnet6 === undefined ? {} : { subnet6: lease.subnet6 }),
    ...(lease.publicIp6 === undefined ? {} : { publicIp6: lease.publicIp6 }),
  } satisfies Record<string, Json>;
}

/** The own lease with what this host makes of it: what `up` prints and subnet.env says. */
export function ownLease(
  { lease, config, host, backend }: { lease: Lease; config: NetworkConfig; host: Host; backend: Backend },
) {
  return {
    ...leaseDocument(lease, host.node),
    gateway: gatewayOf(lease.subnet),
    network: formatCidr(config.network),
    ...secondHalf({ lease, config, backend }),
    device: backend.devices(config)[0] ?? "",
    mtu: backend.mtu(config, host),
    ipMasq: host.firewall.masquerade,
  } satisfies Record<string, Json>;
}

/** What a dual-stack network adds. A device that carries both families is that of either. */
function secondHalf(
  { lease: { subnet6 }, config, backend }: { lease: Lease; config: NetworkConfig; backend: Backend },
): { gateway6?: string; network6?: string; device6?: string } {
  if (config.ipv6 === undefined || subnet6 === undefined) return {};
  return {
    gateway6: gatewayOf(subnet6),
    network6: formatCidr(config.ipv6.network),
    device6: backend.devices(config).at(-1) ?? "",
  };
}

/** Everything `flan status` shows, as one document without the schema's name. */
export function statusOf(
  agent: Agent,
  { pid, version, store, now }: { pid: number; version: string; store: string; now: number },
) {
  const { snapshot, config, host, view, plan, report, backend, own, move } = agent.state;
  const problems = agent.health.list();
  return {
    node: host.node,
    agent: { running: true, pid, version },
    network: formatCidr(config.network),
    backend: backend.type,
    encrypted: backend.encrypts === true,
    ...(config.ipv6 === undefined ? {} : { network6: formatCidr(config.ipv6.network) }),
    underlay: {
      ...host.underlay,
      publicIp: host.publicIp,
      ...(host.ipv6 === undefined
        ? {}
        : { address6: host.ipv6.underlay.address, publicIp6: host.ipv6.publicIp }),
    },
    lease: own === undefined ? null : ownLease({ lease: own, config, host, backend }),
    store: {
      url: store,
      revision: snapshot.revision,
      reachable: !agent.health.has("store-unreachable"),
      reachableSince: timeOf(agent.store.since),
      lastWord: timeOf(agent.store.heard),
    },
    peers: {
      planned: plan.peers.length,
      refused: view.refused.length + plan.refused.length,
      expired: problems.filter(({ code }) => code === "peer-expired").length,
    },
    ...(move === undefined ? {} : { move: { ...move, from: [...move.from], waiting: [...move.waiting] } }),
    drift: driftOf(report),
    repairs: { count: agent.repairs.count, last: lastRepair(agent) },
    problems: problems.map((one) => ({
      ...one,
      since: new Date(one.since).toISOString(),
      because: one.because ?? null,
      remedy: factsOf(one.code).remedy,
    })),
    generatedAt: new Date(now).toISOString(),
  } satisfies Record<string, Json>;
}

/**
 * The end of a lease as ISO 8601 in whole seconds, as stores keep it (`2100-01-01T00:00:00Z`); null for a reservation,
 * and where only the store knows the end.
 */
export function endOf(expires: number | undefined): string | null {
  if (expires === undefined || expires === Infinity) return null;
  return `${new Date(expires).toISOString().slice(0, -".000Z".length)}Z`;
}

function timeOf(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}

/** How many objects are not as planned, whether they wait for another try or not; a kernel that cannot be asked is one. */
export function driftOf(report: Report): number {
  return apart(report).length + (report.error === undefined ? 0 : 1);
}

/** The objects that are not as planned, each once. */
export function apart({ conflicts, failures, waiting }: Report): readonly KernelObject[] {
  const refused = [...failures, ...waiting].map(({ change }) => change.object);
  const objects = [...refused, ...conflicts.map(({ wanted }) => wanted)];
  return [...new Map(objects.map((object) => [keyOf(object), object])).values()];
}

function lastRepair({ repairs: { last } }: Agent): Json {
  return last === undefined ? null : { ...last, at: new Date(last.at).toISOString() };
}
