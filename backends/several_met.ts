/**
 * Which peers know this host, where a plane takes packets of nobody whose key it has not (WireGuard). A lease tells a key to
 * who reads it, and nobody can tell by the store who has: only a handshake shows that both ends have each other's.
 */
import type { KernelObject, WireguardPeer } from "../kernel/state.ts";
import type { Lease } from "../lease/lease.ts";
import type { OtherPlane } from "../lease/other_planes.ts";
import { memo } from "../net/memo.ts";
import { dataField, dataObject } from "./backend_data.ts";
import { Refused } from "./peers.ts";

/** Whether there has been a handshake with the peer that has this public key. */
export type IsMet = (publicKey: string) => boolean;

/** Seconds between two packets to a peer that was never met: where there was no handshake, each asks for one. */
const KNOCK_S = 1;

/** Whether all of the peer's devices know this host. */
export function areMet(
  said: Pick<Lease, "backendData" | "backendV6Data"> | OtherPlane,
  isMet: IsMet,
): boolean {
  return [said.backendData, said.backendV6Data].every((data) => {
    const fields = dataObject(data);
    const key = fields instanceof Refused ? undefined : dataField(fields, "PublicKey");
    return typeof key !== "string" || isMet(key);
  });
}

/** With packets of its own to those that were never met, so that there is a handshake before there is traffic. */
export function knocking(objects: readonly KernelObject[], isMet: IsMet): readonly KernelObject[] {
  return objects.map((object) =>
    object.kind !== "wireguard-peer" || object.keepalive > 0 || isMet(object.publicKey)
      ? object
      : knockingAt(object, KNOCK_S)
  );
}

/** The same one each time. */
const knockingAt = memo((peer: WireguardPeer, keepalive: number): WireguardPeer => ({ ...peer, keepalive }));
