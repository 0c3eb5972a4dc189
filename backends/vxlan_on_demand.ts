/**
 * The vxlan backend's on-demand mode, as flannel 0.7 worked: one route for the whole network, and entries only
 * for the addresses that the kernel asks for. They age, and are asked for again while they are in use.
 */
import {
  type Address,
  type FdbEntry,
  keyOf,
  type Link,
  type Neighbour,
  type Route,
  ROUTE_PROTOCOL,
  type Sysctl,
} from "../kernel/state.ts";
import type { Refusal } from "../lease/lease.ts";
import { type Cidr, formatCidr, parseIp } from "../net/ip.ts";
import type { Plan } from "./backend.ts";
import type { VxlanPeer } from "./vxlan_peers.ts";

/**
 * Solicitations (ip-sysctl.rst, `neigh/*`): the kernel asks user space three times, and never broadcasts ARP
 * or probes a peer with it, since ARP does not cross the tunnel.
 */
const solicit = { app_solicit: "3", mcast_solicit: "0", ucast_solicit: "0" } as const;

/** The plan for those of the `wanted` addresses that lie in a peer's subnet; the others are left unanswered. */
export function planOnDemand(
  peers: readonly VxlanPeer[],
  base: {
    link: Link;
    address: Address;
    refused: readonly Refusal[];
    network: Cidr;
    wanted: ReadonlySet<string>;
  },
): Plan {
  const device = base.link.name;
  const sysctls = Object.entries(solicit).map(([name, value]): Sysctl => ({
    kind: "sysctl",
    name: `net/ipv4/neigh/${device}/${name}`,
    value,
  }));
  const route: Route = {
    kind: "route",
    destination: formatCidr(base.network),
    metric: 0,
    link: device,
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
  const asked = askedOf(peers, base.wanted);
  const fdb: FdbEntry[] = [];
  const neighbours: Neighbour[] = [];
  const plans = peers.map((peer) => {
    const keys = [keyOf(route)];
    const ips = asked.get(peer) ?? [];
    if (ips.length > 0) {
      const entry: FdbEntry = { kind: "fdb", link: device, mac: peer.mac, remote: peer.lease.publicIp };
      fdb.push(entry);
      keys.push(keyOf(entry));
    }
    for (const ip of ips) {
      const neighbour: Neighbour = {
        kind: "neighbour",
        link: device,
        ip,
        mac: peer.mac,
        state: "reachable",
        protocol: ROUTE_PROTOCOL,
      };
      neighbours.push(neighbour);
      keys.push(keyOf(neighbour));
    }
    return { lease: peer.lease, way: "on-demand", keys };
  });
  const objects = [base.link, ...sysctls, base.address, ...fdb, ...neighbours, route];
  return { objects, peers: plans, refused: base.refused };
}

/** The wanted addresses by the peer whose subnet holds them, in the order of their numbers. */
function askedOf(peers: readonly VxlanPeer[], wanted: ReadonlySet<string>): Map<VxlanPeer, string[]> {
  const asked = new Map<VxlanPeer, string[]>();
  if (wanted.size === 0) return asked;
  const lengths = [...new Set(peers.map((peer) => peer.prefixLength))].sort((a, b) => b - a);
  const bySubnet = new Map(peers.map((peer) => [`${peer.id}/${peer.prefixLength}`, peer]));
  for (const value of [...wanted].map(ipv4Number).filter((n) => n !== undefined).sort((a, b) => a - b)) {
    for (const length of lengths) {
      const span = 2 ** (32 - length);
      const peer = bySubnet.get(`${value - value % span}/${length}`);
      if (peer === undefined) continue;
      asked.set(peer, [...asked.get(peer) ?? [], ipv4Text(value)]);
      break;
    }
  }
  return asked;
}

function ipv4Number(text: string): number | undefined {
  try {
    const ip = parseIp(text);
    return ip.family === 4 ? Number(ip.value) : undefined;
  } catch {
    // What is no address is in no peer's subnet.
    return undefined;
  }
}

function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}
