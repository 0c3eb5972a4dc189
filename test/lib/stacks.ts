/** The networks of `overlay.ts` as ones of IPv6 alone and of both families, for whatever backend. */
import type { Host, Underlay } from "../../backends/backend.ts";
import type { Owner } from "../../kernel/ownership.ts";
import type { Lease } from "../../lease/lease.ts";
import type { SubnetRange } from "../../lease/subnet_range.ts";
import type { View } from "../../lease/view.ts";
import type { Json } from "../../net/json.ts";
import { familyOf, parseCidr } from "../../net/ip.ts";
import { host, macOf } from "./overlay.ts";

export const NETWORK6 = "fd00:5::/48";

/** Host n has the n-th of its subnets. */
export const range6: SubnetRange = {
  network: parseCidr(NETWORK6),
  subnetLength: 64,
  subnetMin: parseCidr("fd00:5:0:1::/64"),
  subnetMax: parseCidr("fd00:5:0:ffff::/64"),
};

export function subnet6(n: number): string {
  return `fd00:5:0:${n.toString(16)}::/64`;
}

/** The MAC of a host's device of the second family is another one. */
export function mac6Of(n: number): string {
  return macOf(0x600 + n);
}

/** The lease of `10.5.n.0/24` at 192.0.2.m with the second half, fd00:5:0:n::/64 at 2001:db8::m. */
export function dualLease(lease: Lease): Lease {
  const n = numberIn(lease.subnet, 2);
  const m = numberIn(lease.publicIp, 3);
  const data = backendV6Data(lease, m);
  return {
    ...lease,
    subnet6: subnet6(n),
    publicIp6: `2001:db8::${m.toString(16)}`,
    ...(data && { backendV6Data: data }),
  };
}

function backendV6Data({ backendType, backendData }: Lease, m: number): Json | undefined {
  if (backendType === "vxlan") return { VNI: 1, VtepMAC: mac6Of(m) };
  return backendType === "wireguard" ? { ...backendData as { PublicKey: string }, Port: 51821 } : undefined;
}

/** The second half as the only one. */
export function ipv6Lease(lease: Lease): Lease {
  const { subnet6, publicIp6, backendV6Data, ...rest } = dualLease(lease);
  return { ...rest, subnet: subnet6!, publicIp: publicIp6!, backendData: backendV6Data };
}

/** What a host sees of the same network with both families. */
export function dualView(view: View): View {
  return {
    network: { ...view.network, ipv6: range6 },
    own: view.own && dualLease(view.own),
    peers: view.peers.map(dualLease),
    refused: view.refused,
  };
}

export function ipv6View(view: View): View {
  return {
    network: { ...view.network, ...range6 },
    own: view.own && ipv6Lease(view.own),
    peers: view.peers.map(ipv6Lease),
    refused: view.refused,
  };
}

/** The host on the same link with an address of IPv6 beside its own, 2001:db8::m at 192.0.2.m. */
export function dualHost(change: Partial<Host> = {}): Host {
  const { underlay, mac } = host(change);
  const address = `2001:db8::${numberIn(underlay.address, 3).toString(16)}`;
  return host({
    ...change,
    ipv6: {
      underlay: { ...underlay, address, onLink: ["2001:db8::/64"] },
      publicIp: address,
      mac: mac === "" ? "" : mac6Of(1),
    },
  });
}

export function ipv6Host(change: Partial<Host> = {}): Host {
  const { ipv6, ...rest } = dualHost(change);
  return { ...rest, ...ipv6 };
}

export function dualOwner(owner: Owner): Owner {
  return { ...owner, links: [...owner.links, ...ipv6Owner(owner).links], network6: NETWORK6 };
}

export function ipv6Owner(owner: Owner): Owner {
  const links = owner.links.map((name) =>
    name.replace(/^flan\./, "flan-v6.").replace(/^flan-wg$/, "flan-wg-v6").replace(/^flan0$/, "flan6-0")
  );
  return { ...owner, links, network: NETWORK6 };
}

/** The host on a link on which only hosts 2 and 3 are. */
export function onlyNear({ underlay, ipv6, ...host }: Host): Host {
  const near = (one: Underlay): Underlay => ({
    ...one,
    onLink: [familyOf(one.address) === 4 ? "192.0.2.0/30" : "2001:db8::/126"],
  });
  return {
    ...host,
    underlay: near(underlay),
    ...(ipv6 && { ipv6: { ...ipv6, underlay: near(ipv6.underlay) } }),
  };
}

/** Each with what makes it of an IPv4 network. */
export const stacks = [
  { name: "IPv6", host: ipv6Host, owner: ipv6Owner, view: ipv6View, lease: ipv6Lease },
  { name: "dual stack", host: dualHost, owner: dualOwner, view: dualView, lease: dualLease },
] as const;

export type Stack = typeof stacks[number];

function numberIn(dotted: string, octet: number): number {
  return Number(dotted.split("/")[0]!.split(".")[octet]);
}
