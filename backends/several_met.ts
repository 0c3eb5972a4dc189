/**
 * Which peers know this host, where a plane takes packets of nobody whose key it has not (WireGuard). Only a handshake is
 * taken to show that, and not that each has said by its lease that it has the other's key: two hosts that begin to send
 * within the time that a packet takes from one to the other both begin a handshake, each drops the other's response, and
 * neither gets anything for the 5 s until it tries again, or for several times that. Before a handshake was seen the former
 * plane carries.
 */
import { type KernelObject, keyOf, type WireguardPeer } from "../kernel/state.ts";
import type { Lease } from "../lease/lease.ts";
import { memo } from "../net/memo.ts";
import type { PeerPlan, Plan } from "./backend.ts";

/** Whether there has been a handshake with the peer that has this key (`peerKey`), which names its device, too. */
export type IsMet = (peer: string) => boolean;

/** Seconds between two packets to a peer that was never met: where there was no handshake, each asks for one. */
const KNOCK_S = 1;

/**
 * The leases whose peers in the plan of a plane with keys know this host, by all of this host's devices that have to do
 * with them. A lease of which the plan has no peer, since it refuses it for instance, is not among them.
 */
export function metIn({ objects }: Plan, peers: ReadonlyMap<Lease, PeerPlan>, isMet: IsMet): Set<Lease> {
  const strangers = new Set(objects.flatMap((object) => {
    const key = keyOf(object);
    return object.kind !== "wireguard-peer" || isMet(key) ? [] : [key];
  }));
  const met = [...peers].filter(([, { keys }]) => !keys.some((key) => strangers.has(key)));
  return new Set(met.map(([lease]) => lease));
}

/** With packets of its own to those that were never met, so that there is a handshake before there is traffic. */
export function knocking(objects: readonly KernelObject[], isMet: IsMet): readonly KernelObject[] {
  return objects.map((object) =>
    object.kind !== "wireguard-peer" || object.keepalive > 0 || isMet(keyOf(object))
      ? object
      : knockingAt(object, KNOCK_S)
  );
}

/** The same one each time. */
const knockingAt = memo((peer: WireguardPeer, keepalive: number): WireguardPeer => ({ ...peer, keepalive }));
