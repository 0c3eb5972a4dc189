/** What the watch over peers means to the host's health. Pure. */
import type { PeerPlan } from "../backends/backend.ts";
import { holeSentence } from "../probe/verdict.ts";
import type { Lease } from "../lease/lease.ts";
import type { PeerState } from "../probe/watch.ts";
import type { Found, Judgement } from "./health.ts";

/** A peer as sentences name it. */
export function peerName({ subnet, publicIp }: Pick<Lease, "subnet" | "publicIp">): string {
  return `${subnet} (${publicIp})`;
}

/** `states` by subnet; a peer without one is not known to be well or unwell. */
export function judgePeers(peers: readonly PeerPlan[], states: ReadonlyMap<string, PeerState>): Judgement {
  const found = peers.flatMap((peer): Found[] => {
    const state = states.get(peer.lease.subnet);
    const subject = peer.lease.subnet;
    if (state?.isUp === false) {
      const message = `Peer ${peerName(peer.lease)} answers neither probes nor ICMP echoes over the network`;
      return [{ code: "peer-unreachable", subject, message }];
    }
    if (state === undefined || state.tooLarge === 0) return [];
    const { mtu, tooLarge } = state;
    const message = holeSentence({ from: "this host", to: peerName(peer.lease), mtu, tooLarge });
    return [{ code: "path-mtu-hole", subject, message }];
  });
  return { codes: ["peer-unreachable", "path-mtu-hole"], found };
}
