/** What the watch over peers means to the host's health. Pure. */
import type { PeerPlan } from "../../backends/backend.ts";
import { holeSentence } from "../../probe/verdict.ts";
import type { Lease } from "../../lease/lease.ts";
import { familyOf } from "../../net/ip.ts";
import type { PeerState } from "../../probe/watch.ts";
import type { Found, Judgement } from "./health.ts";

/** A peer as sentences name it. */
export function peerName({ subnet, publicIp }: Pick<Lease, "subnet" | "publicIp">): string {
  return `${subnet} (${publicIp})`;
}

/** A single silent peer may simply be off; so many silent ones, and nobody who answers, are this host's own trouble. */
const LEAST_SILENT = 2;

export interface KnownOfPeers {
  /** By subnet; a peer without one is not known to be well or unwell. */
  readonly states: ReadonlyMap<string, PeerState>;
  /** Whether the holder of a lease is to be taken for running, by other signs than its answers. */
  readonly isAlive: (lease: Lease) => boolean;
  /** This host's half of its lease, where the peers are those of one half of a dual-stack network. */
  readonly half?: Pick<Lease, "subnet"> | undefined;
}

export function judgePeers(peers: readonly PeerPlan[], known: KnownOfPeers): Judgement {
  const { states } = known;
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
  const cutOff = judgeOverlay(peers, known);
  return {
    codes: ["overlay-unreachable", "peer-unreachable", "path-mtu-hole"],
    found: cutOff === undefined ? found : [cutOff, ...found],
  };
}

/**
 * Whether the whole network is out of reach. Those should answer who did so before, and those who run as far as is known:
 * after a power cut the first host to be back is alone, and well. A flannel host that never answered says nothing by
 * its silence: it has no responder, and may drop echoes.
 */
function judgeOverlay(
  peers: readonly PeerPlan[],
  { states, isAlive, half }: KnownOfPeers,
): Found | undefined {
  let silent = 0;
  for (const { lease } of peers) {
    const state = states.get(lease.subnet);
    if (state?.isUp) return undefined;
    const hasAnswered = state !== undefined && state.mtu > 0;
    if (state?.isUp === false && (hasAnswered || lease.node !== undefined && isAlive(lease))) silent++;
  }
  if (silent < LEAST_SILENT) return undefined;
  const by = half === undefined ? "" : ` by IPv${familyOf(half.subnet)}`;
  const message = `No peer answers over the network${by}, and ${silent} should`;
  return { code: "overlay-unreachable", subject: half?.subnet ?? "peers", message };
}
