/** The leases of a network, each with what it is to this host. */
import { leaseDocument } from "../agent/status.ts";
import { isNobody } from "../lease/decode.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import { reservedFor } from "../lease/reservation.ts";
import { makeView, unclaimedIn } from "../lease/view.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { naturalOrder } from "../net/natural_order.ts";
import type { StoredNetwork } from "./context.ts";

/** `reserved` is what nobody has claimed; a claimed reservation is a lease like the others. */
export type Item =
  | {
    readonly state: "own" | "peer" | "flannel" | "reserved";
    readonly lease: Lease;
    readonly refusal?: undefined;
  }
  | { readonly state: "refused"; readonly lease?: undefined; readonly refusal: Refusal };

/** All of them: this host's own, its peers, what is reserved and what is refused, sorted by subnet. */
export function leasesOf(
  { snapshot, config }: Pick<StoredNetwork, "snapshot" | "config">,
  node: string | undefined,
): Item[] {
  const view = makeView(snapshot, { node: node ?? "", network: config });
  const items: Item[] = [
    ...(view.own === undefined ? [] : [{ state: "own" as const, lease: view.own }]),
    ...view.peers.map((lease): Item => ({ state: lease.node === undefined ? "flannel" : "peer", lease })),
    ...unclaimedIn(snapshot, config).map((lease): Item => ({ state: "reserved", lease })),
    ...view.refused.map((refusal): Item => ({ state: "refused", refusal })),
  ];
  return items.sort((a, b) => naturalOrder(subnetOf(a), subnetOf(b)));
}

/** The lease of this host, or undefined. */
export function ownLeaseIn(network: Pick<StoredNetwork, "snapshot" | "config">, node: string | undefined) {
  if (node === undefined) return undefined;
  return makeView(network.snapshot, { node, network: network.config }).own;
}

export function subnetOf({ lease, refusal }: Item): string {
  return lease?.subnet ?? refusal!.subnet;
}

/** The lease as a document; an unclaimed reservation has nobody's address and no backend. */
export function itemDocument(
  { lease, state, refusal }: Item,
  node: string | undefined,
): { [field: string]: Json } {
  if (refusal !== undefined) return { subnet: refusal.subnet, state, refused: { ...refusal } };
  return {
    ...leaseDocument(lease, node),
    ...(state === "reserved" ? { own: false, backend: null } : {}),
    ...(isNobody(lease.publicIp) ? { publicIp: null } : {}),
    state,
    refused: null,
  };
}

/** What a person should know of it: why it is refused, whom it is for. */
export function noteOf({ state, lease, refusal }: Item): string | undefined {
  if (refusal !== undefined) return `${refusal.code}: ${refusal.reason}`;
  const beside = lease.subnet6 === undefined ? [] : [`also ${lease.subnet6}`];
  const notes = state === "reserved" ? [reservedFor(lease), ...beside] : beside;
  return notes.length === 0 ? undefined : notes.join(", ");
}

/** What a document tells of the network beside its leases. */
export function networkFields(
  { config: { network, ipv6 } }: Pick<StoredNetwork, "config">,
): { network: string; network6?: string } {
  const first = { network: formatCidr(network) };
  return ipv6 === undefined ? first : { ...first, network6: formatCidr(ipv6.network) };
}
