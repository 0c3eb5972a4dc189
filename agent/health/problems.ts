/** What a reconcile's report means to the host's health, and to the join. Pure. */
import { FlanError, isStoreTrouble, messageOf } from "../../net/errors.ts";
import type { Plan } from "../../backends/backend.ts";
import type { Conflict } from "../../kernel/drift.ts";
import type { Overridden } from "../../kernel/overridden.ts";
import type { Report } from "../../kernel/reconcile.ts";
import { describe, type KernelObject, keyOf, LINK_ALIAS } from "../../kernel/state.ts";
import type { View } from "../../lease/view.ts";
import { printable } from "../../net/text.ts";
import { foreignCodes, type Found, type Judgement } from "./health.ts";
import type { HealthCode } from "./codes.ts";
import type { Kept } from "../keeping/keeper.ts";
import { type Linger, LINGER_MS } from "../linger.ts";

/** What the kernel and the leases are like. Codes that a report tells nothing about are not among its codes. */
export function judgeReport({ report, view, plan, overridden }: {
  report: Report;
  view: View;
  plan: Plan;
  overridden: readonly Overridden[];
}): Judgement {
  const refused = [...view.refused, ...plan.refused].map((one): Found => ({
    code: "lease-refused",
    subject: one.subnet,
    message: `Lease ${one.subnet} is refused (${one.code}): ${one.reason}`,
  }));
  if (report.error !== undefined) {
    // The kernel was not seen: what stood in the way before may do so still.
    return {
      codes: ["lease-refused", "kernel-refuses", "proxy-down", "hook-fails"],
      found: [...refused, silent(report.error)],
    };
  }
  const winning = overridden.map(({ planned, found }): Found => ({
    code: "foreign-route",
    subject: describe(planned),
    message: `${describe(found)} is not flan's and wins over ${describe(planned)}`,
  }));
  const conflicts = report.conflicts.map((one): Found => ({
    code: one.code,
    subject: describe(one.wanted),
    message: conflictMessage(one),
  }));
  const tried = report.failures.filter(({ later }) => !later);
  const failures = [...tried, ...report.waiting].map(({ change, error }): Found => ({
    code: codeOf(change.object),
    subject: describe(change.object),
    message: error.message,
  }));
  return {
    codes: ["lease-refused", "kernel-refuses", "proxy-down", "hook-fails", ...foreignCodes],
    found: [...refused, ...winning, ...conflicts, ...failures],
  };
}

/** Who did not answer: the kernel, or the proxy that is asked along with it. */
function silent(error: unknown): Found {
  // Of all that a look takes, only the proxy is asked over a control socket.
  const isProxy = error instanceof FlanError && /^(control|proxy)\b/.test(error.op);
  const message = messageOf(error);
  return isProxy
    ? { code: "proxy-down", subject: "proxy", message }
    : { code: "kernel-refuses", subject: "kernel", message };
}

function codeOf({ kind }: KernelObject): HealthCode {
  if (kind === "hook") return "hook-fails";
  return ofProxy.has(kind) ? "proxy-down" : "kernel-refuses";
}

/** What no kernel makes. */
const ofProxy: ReadonlySet<KernelObject["kind"]> = new Set(["proxy", "proxy-route"]);

/** Whether it can be seen what the network's commands did on this host. */
export function judgeHooks(trouble: Error | undefined): Judgement {
  const found = trouble &&
    { code: "hooks-unreadable", subject: "hooks.json", message: trouble.message } as const;
  return { codes: ["hooks-unreadable"], found: found === undefined ? [] : [found] };
}

/** The peers of the view that are there although the store does not hold their lease any more. */
export function judgeLingering(
  view: View,
  { records, isHeld }: Pick<Linger, "records" | "isHeld">,
): Judgement {
  const until = isHeld ? "until the store is well again" : `for ${LINGER_MS / 1000} s`;
  const found = view.peers.flatMap(({ subnet, publicIp }): Found[] => {
    const record = records.get(subnet);
    if (record === undefined) return [];
    const message =
      `The lease ${subnet} of ${publicIp} is gone from the store without being released; its packets go on ${until}`;
    return [{ code: "peer-expired", subject: subnet, message }];
  });
  return { codes: ["peer-expired"], found };
}

/** What became of the own lease. A store that is away is told of in its own name. */
export function judgeLease({ own, lost, rival, overwritten, error, ipv6Error, isEnded }: Kept): Judgement {
  const found: Found[] = [];
  if (lost !== undefined) {
    const now = own === undefined ? "this host has none now" : `this host has ${own.subnet} now`;
    found.push({
      code: "lease-lost",
      subject: lost.subnet,
      message: `Lease ${lost.subnet} was lost, ${now}`,
    });
  }
  if (own !== undefined && isEnded) {
    found.push({
      code: "lease-expired",
      subject: own.subnet,
      message: `Lease ${own.subnet} has ended and cannot be renewed, another host may take it: ${
        messageOf(error)
      }`,
    });
  }
  if (rival !== undefined) {
    found.push({
      code: "duplicate-node",
      subject: rival.subnet,
      message:
        `Lease ${rival.subnet} is announced from ${rival.publicIp} by a host with this host's identity; ` +
        "if one is a clone of the other, it needs a host.json of its own",
    });
  }
  if (overwritten !== undefined) {
    found.push({
      code: "lease-overwritten",
      subject: overwritten.subnet,
      message: `Lease ${overwritten.subnet} was overwritten by a flannel host with this host's address ` +
        `${overwritten.publicIp}; stop flanneld on this host`,
    });
  }
  if (error !== undefined && !isStoreTrouble(error)) {
    found.push({ code: "lease-not-renewed", subject: own?.subnet ?? "none", message: messageOf(error) });
  }
  if (ipv6Error !== undefined) {
    found.push({
      code: "lease-incomplete",
      subject: own?.subnet ?? "none",
      message: `This host has no IPv6 subnet beside ${own?.subnet ?? "none"}: ${messageOf(ipv6Error)}`,
    });
  }
  return {
    codes: [
      "lease-lost",
      "lease-expired",
      "lease-not-renewed",
      "lease-incomplete",
      "lease-overwritten",
      "duplicate-node",
    ],
    found,
  };
}

/**
 * Throws what keeps a host from joining: a kernel that refuses, or somebody else's object in the place of this
 * host's own link or address. What stands in one peer's way does not, but a kernel that takes no IPsec state, or no
 * policy, of any peer does.
 */
export function requireJoined(report: Report, { objects }: Pick<Plan, "objects">): void {
  if (report.error !== undefined) throw report.error;
  const standing = objects.filter((one) => isPeersXfrm(one) && report.state.get(keyOf(one)) === "ok");
  const isTaken = ({ kind }: KernelObject) => standing.some((one) => one.kind === kind);
  const failure = report.failures.find(({ change: { verb, object } }) =>
    isOwnPlace(object) || isPeersXfrm(object) && verb !== "delete" && !isTaken(object)
  );
  if (failure !== undefined) throw failure.error;
  const conflict = report.conflicts.find(({ wanted }) => isOwnPlace(wanted));
  if (conflict === undefined) return;
  throw new FlanError(`Cannot join the network: ${conflictMessage(conflict)}`, {
    op: "agent.join",
    code: "failed",
    hint: "remove or rename it, and start again",
  });
}

/** Without these there is no network; everything else is one peer's. */
function isOwnPlace(object: KernelObject): boolean {
  const { kind } = object;
  if (kind === "hook") return object.network !== "";
  if (kind === "xfrm-policy") return !isPeersXfrm(object);
  return kind === "link" || kind === "address" || kind === "sysctl" || kind === "proxy" ||
    kind === "encap-socket" || kind === "masquerade";
}

/** Whether it is an IPsec state or policy for one peer's packets, and not about whatever comes to this host. */
function isPeersXfrm(object: KernelObject): boolean {
  if (object.kind === "xfrm-state") return true;
  if (object.kind !== "xfrm-policy") return false;
  return object.action !== "block" && object.source !== object.destination;
}

function conflictMessage({ wanted, found }: Conflict): string {
  if (found.kind === "link" && found.alias.startsWith(`${LINK_ALIAS} `)) {
    return `${describe(found)} belongs to another flan (its alias is "${printable(found.alias)}")`;
  }
  return `${describe(found)} is not flan's and stands in the way of ${describe(wanted)}`;
}
