/**
 * The vxlan backend's on-demand mode, as flannel 0.7 worked: one route for the whole network, and entries only
 * for the addresses that the kernel asks for. They age, and are asked for again while they are in use.
 */
import { type FdbEntry, keyOf, type Neighbour, ROUTE_PROTOCOL, type Sysctl } from "../kernel/state.ts";
import type { Refusal } from "../lease/lease.ts";
import { bits, type Cidr, cidrOf, formatCidr, formatIp, type Ip, parseIp } from "../net/ip.ts";
import type { Plan } from "./backend.ts";
import { networkRoute } from "./network_route.ts";
import type { Device } from "./vxlan_device.ts";
import type { VxlanPeer } from "./vxlan_peers.ts";

/**
 * Solicitations (ip-sysctl.rst, `neigh/*`): the kernel asks user space three times, and never broadcasts ARP or IPv6's
 * neighbour discovery or probes a peer with it, since neither crosses the tunnel.
 */
const solicit = { app_solicit: "3", mcast_solicit: "0", ucast_solicit: "0" } as const;

/** The plan for those of the `wanted` addresses that lie in a peer's subnet; the others are left unanswered. */
export function planOnDemand(
  peers: readonly VxlanPeer[],
  base: {
    device: Device;
    refused: readonly Refusal[];
    network: Cidr;
    wanted: ReadonlySet<string>;
  },
): Plan {
  const [link, ...others] = base.device;
  const device = link.name;
  const sysctls = Object.entries(solicit).map(([name, value]): Sysctl => ({
    kind: "sysctl",
    name: `net/ipv${base.network.family}/neigh/${device}/${name}`,
    value,
  }));
  const route = networkRoute(formatCidr(base.network), device);
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
  const objects = [link, ...sysctls, ...others, ...fdb, ...neighbours, route];
  return { objects, peers: plans, refused: base.refused };
}

/** The wanted addresses by the peer whose subnet holds them, in the order of their numbers. */
function askedOf(peers: readonly VxlanPeer[], wanted: ReadonlySet<string>): Map<VxlanPeer, string[]> {
  const asked = new Map<VxlanPeer, string[]>();
  if (wanted.size === 0) return asked;
  const lengths = [...new Set(peers.map((peer) => peer.prefixLength))].sort((a, b) => b - a);
  const bySubnet = new Map(peers.map((peer) => [`${peer.family} ${peer.id}/${peer.prefixLength}`, peer]));
  for (const ip of [...wanted].flatMap(addressOf).sort((a, b) => a.value < b.value ? -1 : 1)) {
    for (const length of lengths) {
      const peer = length > bits(ip.family)
        ? undefined
        : bySubnet.get(`${ip.family} ${cidrOf(ip, length).address}/${length}`);
      if (peer === undefined) continue;
      asked.set(peer, [...asked.get(peer) ?? [], formatIp(ip)]);
      break;
    }
  }
  return asked;
}

function addressOf(text: string): Ip[] {
  try {
    return [parseIp(text)];
  } catch {
    // What is no address is in no peer's subnet.
    return [];
  }
}
