/** Who may have done what has to be repaired: a few of the events that led to it, the most telling ones. */
import { messageOf } from "../net/errors.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { ROUTE_PROTOCOL } from "../kernel/state.ts";

/** More would only repeat what the first ones say. */
const MOST = 3;

/** The rank of a change of our link, which says less than that it is gone. */
const OUR_LINK = 3;

/** The rank of another link's change: a reason to look, and often heard before what it goes along with. */
const OTHER_LINK = 4;

export class Suspects {
  #rank = Infinity;
  readonly #named = new Set<string>();
  /** The program behind the first of them. */
  #by = "unknown";

  /** Notes an event; only those of the most telling kind that came are kept. `devices` are our links. */
  note(event: KernelEvent, devices: readonly string[]): void {
    const rank = rankOf(event, devices);
    if (rank > this.#rank || (rank === this.#rank && this.#named.size >= MOST)) return;
    if (rank < this.#rank) this.#named.clear();
    const by = culprit(event);
    if (this.#named.size === 0) this.#by = programOf(by);
    this.#rank = rank;
    this.#named.add(sentence(event, by));
  }

  /** The program that did it, as a few words can be: `ip`, `kernel`, or `unknown` where nobody tells. */
  get by(): string {
    return this.#by;
  }

  /**
   * One clause for the log, and a clean slate. `gone` names a link of ours that was not there any more: that tells more than
   * what went along with it, and is often seen before the kernel announces it.
   */
  take(gone?: string): string {
    const named = [...this.#named].join(", ");
    const beside = this.#rank === OTHER_LINK;
    const isEvident = gone !== undefined && this.#rank >= OUR_LINK;
    const cause = isEvident
      ? `link ${gone} was gone`
      : named === ""
      ? "found by looking"
      : beside
      ? `found by looking, after ${named}`
      : named;
    this.#named.clear();
    this.#by = "unknown";
    this.#rank = Infinity;
    return cause;
  }
}

/**
 * Lower tells more. A change of one link makes the kernel announce others (the underlay's when a tunnel on it
 * goes) and remove what hangs on it, so these consequences count least.
 */
function rankOf(event: KernelEvent, devices: readonly string[]): number {
  const ours = event.link !== undefined && devices.includes(event.link) ||
    event.protocol === ROUTE_PROTOCOL || event.group === "firewall";
  if (event.port !== 0) return ours ? 0 : 2;
  if (event.group === "link") return ours ? (event.action === "delete" ? 1 : OUR_LINK) : OTHER_LINK;
  // A proxy stops with its link, and a link without its proxy loses its carrier.
  if (event.group === "proxy") return event.action === "delete" ? 2 : 3;
  return event.group === "overrun" ? 6 : ours ? 5 : 6;
}

function sentence(event: KernelEvent, by: string | undefined): string {
  const { group, subject, link } = event;
  if (group === "overrun") return "events were lost";
  if (group === "proxy") {
    return `proxy of ${link ?? "none"} ${event.action === "delete" ? "stopped" : "changed"}`;
  }
  if (group === "firewall") {
    return by === undefined ? "packet filter changed" : `packet filter changed by ${by}`;
  }
  const name = group === "link"
    ? link
    : [subject ?? event.mac, link && `dev ${link}`].filter(Boolean).join(" ");
  const kind = isFdb(event) ? "FDB entry" : group;
  const done = `${kind} ${name ?? ""} ${doneIn(event)}`;
  return by === undefined ? done : `${done} by ${by}`;
}

/** What became of it. Of a link it is told how it is now: the kernel does not say what of it is new. */
function doneIn({ group, action, mtu, up }: KernelEvent): string {
  if (action === "delete") return "deleted";
  if (group !== "link" || mtu === undefined) return "changed";
  return up === false ? "changed (now down)" : `changed (now mtu ${mtu})`;
}

/** `ip[812]` without its number, which differs from time to time. */
function programOf(culprit: string | undefined): string {
  if (culprit === "the kernel") return "kernel";
  return /^(.+)\[\d+\]$/.exec(culprit ?? "")?.[1] ?? "unknown";
}

/** Whether the event is about the FDB, which the kernel calls neighbours, too. */
function isFdb({ group, subject }: KernelEvent): boolean {
  return group === "neighbour" && subject === undefined;
}

/**
 * Who did it, as far as the kernel tells: `ip[812]`, or `process 812 (ended, name unknown)`. Linux does not tell for links
 * and FDB entries: their messages carry no port, whoever caused them (measured on 6.18).
 */
export function culprit(event: KernelEvent): string | undefined {
  const { group, port, program } = event;
  if (program !== undefined) return `${program}[${port}]`;
  // Where events of the packet filter were lost, nobody knows whose they were.
  if (port === 0) return group === "link" || group === "firewall" || isFdb(event) ? undefined : "the kernel";
  try {
    return `${Deno.readTextFileSync(`/proc/${port}/comm`).trim()}[${port}]`;
  } catch (error) {
    // The port number is the process id of most programs, but any number may be chosen; it may be gone too.
    if (error instanceof Deno.errors.NotFound) return `process ${port} (ended, name unknown)`;
    return `process ${port} (${messageOf(error)})`;
  }
}
