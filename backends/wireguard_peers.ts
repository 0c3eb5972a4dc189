/** Which peers a WireGuard device can reach, and what it has to know of each. */
import type { Lease, Refusal } from "../lease/lease.ts";
import type { View } from "../lease/view.ts";
import { halfOf } from "../lease/half.ts";
import { familiesOf, viewOf } from "../lease/stack.ts";
import type { Family } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import {
  claimOnce,
  type HostFacts,
  type Peer,
  publicIpOf,
  refusal,
  Refused,
  sortPeers,
  type Subnet,
} from "./peers.ts";
import { readWireguardHalf, type WireguardHalf } from "./wireguard_half.ts";
import type { WireguardOptions } from "./wireguard_options.ts";
import { type Announced, underlayTo } from "./wireguard_underlay.ts";

export interface WireguardPeerLease {
  /** As it stands in the view. */
  readonly lease: Lease;
  /** What is to be sent to: one for all of it, or one for each of its devices. */
  readonly ends: readonly [WireguardEnd, ...WireguardEnd[]];
}

export interface WireguardEnd {
  /** Base64. */
  readonly publicKey: string;
  /** Where it is sent to. */
  readonly address: string;
  readonly port: number;
  /** What of the lease it has: halves that this host has a half of its own for, one at least. */
  readonly halves: readonly Peer[];
}

export interface PeersContext {
  readonly publicKey: string;
  readonly options: WireguardOptions;
  /** What this host has of each family. */
  readonly owns: Readonly<Partial<Record<Family, { readonly subnet: Subnet; readonly host: HostFacts }>>>;
}

/** Of a family in which this host is nowhere: no peer can be at the same place. */
const NOWHERE: HostFacts = { publicIp: "", address: "" };

/**
 * Sorts the leases of a view of one family or two into peers and refusals, each half on its own. The first of two that
 * claim one key has it. A peer whose halves have one key has one device for both, whose port is in the data of the first:
 * flannel announces another port with the second one, at which nobody listens. One whose halves have different keys has a
 * device for each, as while it has not followed a change of `Mode` yet.
 */
export function wireguardPeers(
  view: View,
  { publicKey, options, owns }: PeersContext,
): { peers: WireguardPeerLease[]; refused: Refusal[] } {
  const families = familiesOf(view.network);
  const sorted = families.map((family) => {
    const own = owns[family];
    const { peers, refused } = sortPeers(viewOf(view, family).peers, {
      own: own?.subnet ?? { family, id: 0n },
      host: own?.host ?? NOWHERE,
      judge: (lease) => readWireguardHalf(lease, { port: options.listenPorts[family], family }),
    });
    return { family, refused, byLease: new Map(peers.map((peer) => [peer.lease, peer])) };
  });
  const refused = sorted.flatMap((one) => one.refused);
  const claim = claimOnce({ own: publicKey, code: "duplicate-key", name: "PublicKey" });
  const facts = { mode: options.mode, own: announcedBy(view), carried: families.filter((one) => owns[one]) };
  const peers = view.peers.flatMap((lease): WireguardPeerLease[] => {
    const halves = sorted.flatMap(({ family, byLease }) => {
      const half = families.length === 1 ? lease : halfOf(lease, family);
      return half === undefined ? [] : byLease.get(half) ?? [];
    });
    if (halves.length === 0) return [];
    const { ends, peer, why } = wholeOf(lease, { halves, ...facts });
    if (why !== undefined) refused.push(...halves.map((half) => refusal(half.lease, why)));
    const had = ends.filter(({ publicKey }) => {
      const why = claim(publicKey, lease.subnet);
      const claiming = why === undefined ? [] : halves.filter((half) => half.publicKey === publicKey);
      refused.push(...claiming.map((half) => refusal(half.lease, why!)));
      return why === undefined;
    });
    const one = had.length === ends.length ? peer : peerOf(lease, had);
    return one === undefined ? [] : [one];
  });
  return { peers, refused };
}

/** What this host announces of itself. */
function announcedBy({ network: { network: { family } }, own }: View): Announced {
  const second = own?.publicIp6 === undefined ? {} : { 6: own.publicIp6 };
  return { ...second, [family]: own?.publicIp };
}

interface Facts {
  readonly halves: readonly WireguardHalf[];
  readonly mode: WireguardOptions["mode"];
  readonly own: Announced;
  readonly carried: readonly Family[];
}

interface Whole {
  /** Why none of it can be used. */
  readonly why?: Refused;
  /** Each with a key of its own; without a half where this host has none for it. */
  readonly ends: readonly WireguardEnd[];
  /** All of them as one. */
  readonly peer: WireguardPeerLease | undefined;
}

/** The same peer for the same lease each time, so that what is made of it is known again. */
const wholeOf = memo(
  makeWhole,
  (a, b) =>
    a.mode === b.mode && a.own[4] === b.own[4] && a.own[6] === b.own[6] &&
    isSame(a.carried, b.carried) && isSame(a.halves, b.halves),
);

function makeWhole(lease: Lease, { halves, mode, own, carried }: Facts): Whole {
  const [{ publicKey, port }] = halves as [WireguardHalf];
  const kept = (some: readonly WireguardHalf[]) => some.filter((half) => carried.includes(half.family));
  if (halves.some((half) => half.publicKey !== publicKey)) {
    const ends = halves.map((half): WireguardEnd => {
      const { publicKey, port, lease: { publicIp } } = half;
      return { publicKey, address: publicIp, port, halves: kept([half]) };
    });
    return { ends, peer: peerOf(lease, ends) };
  }
  const announced: Announced = Object.fromEntries(
    halves.map((half) => [half.family, half.lease.publicIp]),
  );
  const family = underlayTo(announced, { mode, own });
  const address = family && announced[family];
  if (address === undefined) return { why: unreachable(mode), ends: [], peer: undefined };
  const ends = [{ publicKey, address, port, halves: kept(halves) }];
  return { ends, peer: peerOf(lease, ends) };
}

/** Undefined where this host has no half for any of its halves. */
function peerOf(lease: Lease, ends: readonly WireguardEnd[]): WireguardPeerLease | undefined {
  const [first, ...others] = ends.filter(({ halves }) => halves.length > 0);
  return first === undefined ? undefined : { lease, ends: [first, ...others] };
}

function unreachable(mode: WireguardOptions["mode"]): Refused {
  if (mode === "auto") {
    return new Refused("bad-endpoint", "it and this host announce no address of one family");
  }
  const name = publicIpOf(mode === "ipv6" ? 6 : 4);
  return new Refused("bad-endpoint", `it announces no ${name} that can be used, and Mode is "${mode}"`);
}

function isSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
