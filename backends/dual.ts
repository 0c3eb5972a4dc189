/** A backend that is written for one address family, in a network of either one or of both. */
import { byRank } from "../kernel/relations.ts";
import type { Lease } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { halfOf } from "../lease/half.ts";
import { configOf, familiesOf, viewOf } from "../lease/stack.ts";
import { invalid } from "../net/errors.ts";
import { type Family, familyOf } from "../net/ip.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";

/**
 * In a dual-stack network the backend is asked for each family by itself, and what it says is put together: the IPv4
 * overlay goes over the IPv4 underlay, the IPv6 overlay over the IPv6 underlay, as with flannel. A host that has no
 * underlay of the second family is planned for the first one alone.
 */
export function dualStack(backend: Backend): Backend {
  const halves = (config: NetworkConfig) => familiesOf(config).map((family) => configOf(config, family));
  return {
    ...backend,
    check: (config) => [...new Set(halves(config).flatMap((half) => backend.check(half)))],
    requireHost(config, host) {
      for (const half of halves(config)) {
        const { family } = half.network;
        const of = hostOf(host, family);
        if (of === undefined) throw lacking(host, family);
        backend.requireHost(half, of);
      }
    },
    startup: (config) => backend.startup(config),
    devices: (config) => [...new Set(halves(config).flatMap((half) => backend.devices(half)))],
    announce(config, host) {
      const [first, second] = eachHalf(config, host, (half, of) => backend.announce(half, of));
      return second?.backendData === undefined ? first! : { ...first!, backendV6Data: second.backendData };
    },
    mtu: (config, host) => Math.min(...eachHalf(config, host, (half, of) => backend.mtu(half, of))),
    plan(view, host) {
      const families = familiesOf(view.network);
      if (families.length === 1) return backend.plan(view, host);
      const halves = families.flatMap((family) => {
        const of = hostOf(host, family);
        return of === undefined ? [] : [{ family, plan: backend.plan(viewOf(view, family), of) }];
      });
      return together(view.peers, halves);
    },
  };
}

/** The host as one of this family alone; undefined where it has no underlay of that family. */
export function hostOf<H extends Pick<Host, "underlay" | "ipv6">>(host: H, family: Family): H | undefined {
  if (familyOf(host.underlay.address) === family) return host;
  return host.ipv6 === undefined ? undefined : { ...host, ...host.ipv6 };
}

/** What `ask` says of each family that the network and the host both have. */
function eachHalf<T>(
  config: NetworkConfig,
  host: Host,
  ask: (config: NetworkConfig, host: Host) => T,
): T[] {
  return familiesOf(config).flatMap((family) => {
    const of = hostOf(host, family);
    return of === undefined ? [] : [ask(configOf(config, family), of)];
  });
}

function lacking({ underlay }: Pick<Host, "underlay">, family: Family): Error {
  return invalid(
    "backend.host",
    `Cannot join the network with underlay ${underlay.link}: it has no IPv${family} address that peers can reach`,
    "give it one, or name another interface with --iface",
  );
}

/** Objects of both in the order in which they are made; of each lease the keys of both, and the way of the first. */
function together(
  leases: readonly Lease[],
  halves: readonly { readonly family: Family; readonly plan: Plan }[],
): Plan {
  const plans = halves.map(({ family, plan }) => ({
    family,
    byLease: new Map(plan.peers.map((peer) => [peer.lease, peer])),
  }));
  const peers = leases.flatMap((lease): PeerPlan[] => {
    const found = plans.flatMap(({ family, byLease }) => {
      const half = halfOf(lease, family);
      return half === undefined ? [] : byLease.get(half) ?? [];
    });
    const [first] = found;
    return first === undefined ? [] : [{ lease, way: first.way, keys: found.flatMap(({ keys }) => keys) }];
  });
  return {
    objects: halves.flatMap(({ plan }) => plan.objects).sort(byRank),
    peers,
    refused: halves.flatMap(({ plan }) => plan.refused),
  };
}
