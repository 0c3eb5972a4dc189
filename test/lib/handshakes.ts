/** WireGuard's handshakes among hosts whose kernels are in memory: two that have each other's key, one of which calls. */
import { type KernelObject, keyOf, type WireguardPeer } from "../../kernel/state.ts";

/** The objects of one host's kernel. */
export type Objects = Map<string, KernelObject>;

/** Lets those pairs have theirs that can: no route is asked, only packets that a device sends by itself. */
export function shakeHands(kernels: readonly Objects[]): void {
  const ends = kernels.flatMap((objects) =>
    [...objects.values()].flatMap((object) => {
      const own = object.kind === "wireguard-peer" ? ownKey(objects, object.link) : undefined;
      return object.kind !== "wireguard-peer" || own === undefined ? [] : [{ objects, own, peer: object }];
    })
  );
  const byKeys = new Map(ends.map((end) => [`${end.own} ${end.peer.publicKey}`, end]));
  for (const { objects, own, peer } of ends) {
    const other = byKeys.get(`${peer.publicKey} ${own}`);
    if (other === undefined || peer.keepalive === 0) continue;
    note(objects, peer);
    note(other.objects, other.peer);
  }
}

/** The key of a device that is up. */
function ownKey(objects: Objects, name: string): string | undefined {
  const link = objects.get(`link ${name}`);
  return link?.kind === "link" && link.up ? link.wireguard?.publicKey : undefined;
}

function note(objects: Objects, peer: WireguardPeer): void {
  objects.set(keyOf(peer), { ...peer, handshakeAge: 0 });
}
