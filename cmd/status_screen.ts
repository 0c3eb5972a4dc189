/** What `flan status` says of an agent to a person. Pure. */
import type { statusOf } from "../agent/status.ts";
import { printable } from "../net/text.ts";
import { foldLine } from "./fold.ts";
import { timeSpan } from "./lease_end.ts";

export type Status = ReturnType<typeof statusOf>;

/**
 * One line for each thing, the problems last, for a terminal of so many columns (0 for a pipe). A hint stays one line: mostly
 * it is a command.
 */
export function screen(status: Status, columns = 0): string {
  const { agent, network, node, peers, problems, repairs, store, underlay } = status;
  const last = repairs.last as { at: string; what: string; cause: string } | null;
  const lines = [
    `node    ${node}  ${addressesOf(status)} on ${underlay.link} mtu ${underlay.mtu}`,
    status.lease === null ? `lease   none in ${network}` : `lease   ${leaseWords(status, status.lease)}`,
    ...(status.lease === null ? [] : secondHalf(status, status.lease)),
    `store   ${store.url} revision ${store.revision}, ${storeWords(status)}`,
    `traffic encrypted: ${status.encrypted ? `yes (${status.backend})` : "no"}`,
    `agent   process ${agent.pid}, drift ${status.drift}, repairs ${repairs.count}`,
    ...(last === null ? [] : [`        last ${last.at}: ${last.what} (${last.cause})`]),
    `peers   ${peers.planned}, ${peers.refused} refused${
      peers.expired > 0 ? `, ${peers.expired} expired` : ""
    }`,
    ...moveLines(status),
    ...problems.filter(({ because }) => because === null).flatMap((one) => problemLines(status, one)),
  ];
  return lines.map((line) => printable(line, 2000))
    .map((line) => /^ *hint: /.test(line) ? line : foldLine(line, columns)).join("\n");
}

/** More would fill the screen; the document has all. */
const MOST_WAITING = 5;

/** How far the network has gone over to another backend, while it does. */
function moveLines({ move }: Status): string[] {
  if (move === undefined) return [];
  const { from, to, moved, waiting } = move;
  const shown = waiting.slice(0, MOST_WAITING).join(", ");
  const more = waiting.length > MOST_WAITING ? ` and ${waiting.length - MOST_WAITING} more` : "";
  const rest = waiting.length === 0 ? "" : `, not yet ${shown}${more}`;
  return [
    `move    from ${from.join(", ")} to ${to}: ${moved} of ${moved + waiting.length} hosts have moved${rest}`,
  ];
}

type Problem = Status["problems"][number];

/** A problem with its remedy, and below it those that it causes: they go when it goes. */
function problemLines(status: Status, problem: Problem, indent = ""): string[] {
  const { severity, code, since, message, remedy, because } = problem;
  const span = timeSpan(secondsSince(status, since));
  // Of several problems with one code, the first stands for all.
  const isFirst = status.problems.find((one) => one.code === code) === problem;
  const caused = isFirst ? status.problems.filter((one) => one.because === code) : [];
  return [
    `${indent}${severity === "high" ? "!" : "-"} ${code}  for ${span}: ${message}`,
    ...(because === null ? [`  hint: ${remedy}`] : []),
    ...caused.flatMap((one) => problemLines(status, one, `${indent}  `)),
  ];
}

/** Where peers send to, by each family. */
function addressesOf({ underlay: { publicIp, publicIp6 } }: Status): string {
  return [publicIp, ...(publicIp6 === undefined ? [] : [publicIp6])].join(" and ");
}

/** In dual stack, the IPv6 half of the lease below the other; a lease may lack it. */
function secondHalf(
  { backend, network6 }: Status,
  { subnet6, device6 }: NonNullable<Status["lease"]>,
): string[] {
  if (network6 === undefined) return [];
  if (subnet6 === undefined) return [`        none in ${network6}`];
  return [`        ${subnet6} of ${network6} via ${[backend, device6].filter(Boolean).join("/")}`];
}

function leaseWords(status: Status, lease: NonNullable<Status["lease"]>): string {
  const { backend, network } = status;
  return `${lease.subnet} of ${network} via ${
    [backend, lease.device].filter(Boolean).join("/")
  } mtu ${lease.mtu}, ${endWords(status, lease)}`;
}

/** An end that has passed is none that a host can rely on, and is told as such. */
function endWords(status: Status, { reservation, expires }: NonNullable<Status["lease"]>): string {
  if (reservation) return "reserved";
  if (expires === null) return "leased";
  if (Date.parse(expires) > Date.parse(status.generatedAt)) return `until ${expires}`;
  return `ended ${timeSpan(secondsSince(status, expires))} ago`;
}

/** Since when the store can be used, and how long ago it said something. */
function storeWords(status: Status): string {
  const { reachable, reachableSince, lastWord } = status.store;
  const state = reachableSince === null
    ? (reachable ? "in trouble" : "unreachable")
    : `reachable since ${reachableSince}`;
  return lastWord === null ? state : `${state}, last word ${timeSpan(secondsSince(status, lastWord))} ago`;
}

function secondsSince({ generatedAt }: Status, time: string): number {
  return Math.max(0, Math.floor((Date.parse(generatedAt) - Date.parse(time)) / 1000));
}
