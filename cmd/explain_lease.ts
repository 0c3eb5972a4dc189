/** Whose an address is, by the leases: the first hop of `flan routes explain`. */
import type { PeerPlan } from "../backends/backend.ts";
import type { Step } from "../kernel/explain/way.ts";
import type { Lease } from "../lease/lease.ts";
import { unclaimedIn } from "../lease/view.ts";
import { reservedFor } from "../lease/reservation.ts";
import { contains, formatCidr, type Ip, parseCidr, parseIp } from "../net/ip.ts";
import { remaining } from "./lease_end.ts";
import type { Observed } from "./observe.ts";

/** Where a packet to an address has to go. */
export type Target =
  | { readonly kind: "peer"; readonly lease: Lease; readonly peer: PeerPlan; readonly step: Step }
  | { readonly kind: "own"; readonly lease: Lease; readonly step: Step }
  | { readonly kind: "nowhere"; readonly isRefused: boolean; readonly step: Step };

type Seen = Pick<Observed, "plan" | "view" | "expired" | "snapshot" | "config">;

/** Finds the lease that holds the address. `now` is milliseconds since 1970. */
export function targetOf(text: string, seen: Seen, now: number): Target {
  const { plan, view, config } = seen;
  const ip = parseIp(text);
  const prove = `flan lease list`;
  const nowhere = (found: string, state: "missing" | "wrong", note?: string): Target => ({
    kind: "nowhere",
    isRefused: state === "wrong",
    step: { what: "lease", text: found, state, note, prove },
  });
  if (!contains(config.network, ip)) {
    return nowhere(`none: it is outside the network ${formatCidr(config.network)}`, "missing");
  }
  const own = view.own;
  if (own !== undefined && holds(own.subnet, ip)) {
    return { kind: "own", lease: own, step: leaseStep(own, "this host's own", { seen, now }) };
  }
  const peer = plan.peers.find(({ lease }) => holds(lease.subnet, ip));
  if (peer !== undefined) {
    const { lease } = peer;
    const whose = `${lease.node === undefined ? "" : `node ${lease.node} `}at ${lease.publicIp}`;
    return { kind: "peer", lease, peer, step: leaseStep(lease, whose, { seen, now }) };
  }
  const refused = [...view.refused, ...plan.refused].find(({ subnet }) => holds(subnet, ip));
  if (refused !== undefined) {
    return nowhere(`${refused.subnet} is refused`, "wrong", `${refused.code}: ${refused.reason}`);
  }
  const reserved = unclaimedIn(seen.snapshot, config).find(({ subnet }) => holds(subnet, ip));
  if (reserved !== undefined) {
    return nowhere(
      `${reserved.subnet} is reserved ${reservedFor(reserved)}`,
      "missing",
      "no host has claimed it",
    );
  }
  return nowhere("none: no host holds a subnet with this address", "missing");
}

function leaseStep(lease: Lease, whose: string, { seen, now }: { seen: Seen; now: number }): Step {
  const left = remaining(lease.expires, now);
  const end = left === undefined ? "" : left === "reserved" ? ", reserved" : `, ${left} left`;
  return {
    what: "lease",
    text: `${lease.subnet} ${whose}${end}`,
    state: "ok",
    prove: `flan lease get ${lease.subnet}`,
    ...(seen.expired.has(lease.subnet) && { note: "it has ended, and the agent keeps its holder reachable" }),
  };
}

/** A refused lease is named by its key where its subnet cannot be read; such a one holds nothing. */
function holds(subnet: string, ip: Ip): boolean {
  try {
    return contains(parseCidr(subnet), ip);
  } catch {
    return false;
  }
}
