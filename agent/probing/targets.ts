/** Whom this host can measure, and by which addresses. Pure. */
import type { Host, PeerPlan, Plan } from "../../backends/backend.ts";
import type { Lease } from "../../lease/lease.ts";
import { contains, type Family, formatCidr, formatIp, parseCidr, parseIp } from "../../net/ip.ts";
import type { Target } from "../../probe/measure.ts";

/** What of the network there is to measure by one family. */
export interface Measurable {
  readonly family: Family;
  /** Whether the network has another family beside this one. */
  readonly isHalf: boolean;
  readonly own: Lease | undefined;
  readonly plan: Plan;
  readonly host: Host;
  /** "" where the backend makes no device. */
  readonly device: string;
}

/** The address from which this host probes, and at which others probe it; undefined for one without a lease. */
export function ownAddress({ own, host, device }: Measurable): string | undefined {
  if (own === undefined) return undefined;
  return device === "" ? host.underlay.address : probeAddress(own, device);
}

/** The largest packet that this host sends to its peers: its device's MTU, or the underlay's. */
export function largestPacket({ plan, host, device }: Measurable): number {
  const link = plan.objects.find((object) => object.kind === "link" && object.name === device);
  if (link?.kind === "link") return link.mtu;
  return Math.min(host.mtu ?? host.underlay.mtu, host.underlay.mtu);
}

/**
 * The address that stands for a lease's host: that of its device in the overlay, the first of its subnet, or its own one
 * on the underlay where the backend makes no device.
 */
export function probeAddress({ subnet, publicIp }: Lease, device: string): string {
  return device === "" ? publicIp : subnet.slice(0, subnet.indexOf("/"));
}

/** Ways on which others carry the packets. What hosts' own addresses answer says nothing of these. */
const elsewhere: ReadonlySet<string> = new Set(["alloc", "extension"]);

/** Whether probes to the peer go the way of the network's packets. */
export function isCarried({ way }: Pick<PeerPlan, "way">): boolean {
  return !elsewhere.has(way);
}

/** The peers that packets are carried to. A flannel host says no more than that it is there. */
export function targetsOf({ peers }: Plan, device: string): Target[] {
  return peers.filter(isCarried).map(({ lease }) => targetOf(lease, device));
}

/** A lease's host, to be measured. */
export function targetOf(lease: Lease, device: string): Target {
  return { address: probeAddress(lease, device), isFlan: lease.node !== undefined };
}

/**
 * Whether peers may be probed though nobody wants anything of them. Where the kernel asks for each neighbour (vxlan's
 * on-demand mode), that would make it ask for all of them, and keep them for ever.
 */
export function mayWatch({ objects }: Plan): boolean {
  return !objects.some((object) => object.kind === "sysctl" && object.name.endsWith("/app_solicit"));
}

/** Digits of a node's name that are enough to mean it. */
const LEAST_DIGITS = 4;

/** The peer that somebody means by a subnet, an address in it, a host's own address, or (the beginning of) its name. */
export function peerCalled<P extends Pick<PeerPlan, "lease">>(
  peers: readonly P[],
  name: string,
): P | undefined {
  const cidr = read(parseCidr, name);
  if (cidr !== undefined) return peers.find(({ lease }) => lease.subnet === formatCidr(cidr));
  const ip = read(parseIp, name);
  if (ip !== undefined) {
    return peers.find(({ lease }) => lease.publicIp === formatIp(ip)) ??
      peers.find(({ lease }) => contains(parseCidr(lease.subnet), ip));
  }
  if (name.length < LEAST_DIGITS) return undefined;
  const called = peers.filter(({ lease }) => lease.node?.startsWith(name));
  return called.length === 1 ? called[0] : undefined;
}

function read<T>(parse: (text: string) => T, text: string): T | undefined {
  try {
    return parse(text);
  } catch {
    // It is another kind of name.
    return undefined;
  }
}
