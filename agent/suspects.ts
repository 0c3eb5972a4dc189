/** Who may have done what has to be repaired: a few of the events that led to it, the most telling ones. */
import { messageOf } from "../net/errors.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { eventKeyOf, keyOfEvent } from "../kernel/event_key.ts";
import { linkOf } from "../kernel/relations.ts";
import { type KernelObject, type Link, ROUTE_PROTOCOL } from "../kernel/state.ts";

/** More would only repeat what the first ones say. */
const MOST = 3;

/** The rank of a change of our link, which says less than that it is gone. */
const OUR_LINK = 3;

/** The rank of another link's change: a reason to look, and often heard before what it goes along with. */
const OTHER_LINK = 4;

interface Suspect {
  readonly event: KernelEvent;
  readonly rank: number;
  readonly sentence: string;
  /** The program that did it, as a few words can be: `ip`, `kernel`, or `unknown` where nobody tells. */
  readonly program: string;
}

/** What is said of a repair: one clause for the log, and the program behind the first event that it names. */
export interface Verdict {
  readonly cause: string;
  readonly by: string;
}

/**
 * The events between two looks at the kernel. What was heard before a look began, that look has seen. What was heard
 * while it went on, it may have seen or not: so that counts for the next one, too, unless it is about what was repaired.
 * What is heard when the look is over, while it is acted on, can only be for the next one; it may be of our own doing.
 */
export class Suspects {
  /** In the order in which they came; of each part of it the first ones. */
  #heard: Suspect[] = [];
  /** How many of them were heard before the look began, and how many before it was over. */
  #begun = 0;
  #looked = 0;
  /** What was made since by ourselves, by name. */
  readonly #made = new Map<string, Link>();
  /** The MACs that our links had last, by name. */
  readonly #macs = new Map<string, string>();

  /** Notes an event, unless enough of its kind came. `devices` are our links. */
  note(event: KernelEvent, devices: readonly string[]): void {
    const mac = this.#newMac(event, devices);
    if (this.#isOurDoing(event)) return;
    const rank = rankOf(event, devices);
    const alike = this.#heard.slice(this.#looked).filter((one) => one.rank === rank);
    if (alike.length >= MOST) return;
    const by = culprit(event);
    const told = sentence(event, { by, mac });
    if (alike.some((one) => one.sentence === told)) return;
    this.#heard.push({ event, rank, sentence: told, program: programOf(by) });
  }

  /** A look begins. */
  begin(): void {
    const ranks = [...Map.groupBy(this.#heard, ({ rank }) => rank).values()];
    const latest = new Set(ranks.flatMap((alike) => alike.slice(-MOST)));
    this.#heard = this.#heard.filter((one) => latest.has(one));
    this.#begun = this.#looked = this.#heard.length;
  }

  /** The kernel was read, and what it had announced until then was noted. */
  looked(): void {
    this.#looked = this.#heard.length;
    this.#made.clear();
  }

  /**
   * We have made or set these links since the look. Linux does not tell who changed a link, so that what says of one that
   * it is as we made it is nobody's doing, until the next look.
   */
  acted(links: readonly Link[]): void {
    for (const link of links) {
      this.#made.set(link.name, link);
      this.#macs.set(link.name, link.mac);
    }
    this.#heard = this.#heard.filter(({ event }, i) => i < this.#looked || !this.#isOurDoing(event));
  }

  /** The MAC that one of our links has now, where it had another one. */
  #newMac(
    { group, action, link = "", linkMac }: KernelEvent,
    devices: readonly string[],
  ): string | undefined {
    if (group !== "link" || action !== "new" || linkMac === undefined || !devices.includes(link)) {
      return undefined;
    }
    const before = this.#macs.get(link) || linkMac;
    this.#macs.set(link, linkMac);
    return before === linkMac ? undefined : linkMac;
  }

  #isOurDoing({ group, action, port, link = "", mtu, up, linkMac }: KernelEvent): boolean {
    const made = this.#made.get(link);
    return group === "link" && action === "new" && port === 0 && made !== undefined && made.mtu === mtu &&
      made.up === up && (made.mac === "" || linkMac === undefined || made.mac === linkMac);
  }

  /**
   * Judges by the most telling events that the look may have seen, and forgets what it must have seen. `gone` names a link
   * of ours that was not there any more: that tells more than what went along with it.
   */
  take(
    { gone, repaired = [] }: { gone?: string | undefined; repaired?: readonly KernelObject[] } = {},
  ): Verdict {
    const seen = this.#heard.slice(0, this.#looked);
    const rank = Math.min(Infinity, ...seen.map((one) => one.rank));
    const telling = seen.filter((one) => one.rank === rank);
    const explained = new Set(seen.filter(({ event }) => repaired.some((object) => isAbout(event, object))));
    this.#heard = this.#heard.slice(this.#begun).filter((one) => !explained.has(one));
    this.#begun = this.#looked = 0;
    return { cause: causeIn(telling, gone), by: telling[0]?.program ?? "unknown" };
  }
}

/** `telling` are of one rank. */
function causeIn(telling: readonly Suspect[], gone: string | undefined): string {
  const rank = telling[0]?.rank ?? Infinity;
  if (gone !== undefined && rank >= OUR_LINK) return `link ${gone} was gone`;
  if (telling.length === 0) return "found by looking";
  const named = [...new Set(telling.map(({ sentence }) => sentence))].slice(0, MOST).join(", ");
  return rank === OTHER_LINK ? `found by looking, after ${named}` : named;
}

/** Whether the event is about the object, or about the link that carries it. */
function isAbout(event: KernelEvent, object: KernelObject): boolean {
  if (event.group === "link" && event.link !== undefined && event.link === linkOf(object)) return true;
  return keyOfEvent(event) === eventKeyOf(object);
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
  if (event.group === "proxy" || event.group === "ipsec") return event.action === "delete" ? 2 : 3;
  return event.group === "overrun" ? 6 : ours ? 5 : 6;
}

/** `mac` is that of one of our links, where it is another one than before. */
function sentence(
  event: KernelEvent,
  { by, mac }: { by: string | undefined; mac: string | undefined },
): string {
  const { group, subject, link } = event;
  if (group === "overrun") return "events were lost";
  if (group === "proxy") {
    return `proxy of ${link ?? "none"} ${event.action === "delete" ? "stopped" : "changed"}`;
  }
  if (group === "ipsec" && subject === undefined) return "the process that held it ended";
  if (group === "firewall") {
    return by === undefined ? "packet filter changed" : `packet filter changed by ${by}`;
  }
  const name = group === "link"
    ? link
    : [subject ?? event.mac, link && `dev ${link}`].filter(Boolean).join(" ");
  const kind = isFdb(event) ? "FDB entry" : group === "ipsec" ? "IPsec" : group;
  const done = `${kind} ${name ?? ""} ${doneIn(event, mac)}`;
  return by === undefined ? done : `${done} by ${by}`;
}

/** What became of it. Of a link it is told how it is now: the kernel does not say what else of it is new. */
function doneIn({ group, action, mtu, up }: KernelEvent, mac: string | undefined): string {
  if (action === "delete") return "deleted";
  if (group !== "link" || mtu === undefined) return "changed";
  if (mac !== undefined) return `changed (now MAC ${mac})`;
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
 * Groups whose events come without a port. Where events of the packet filter were lost, nobody knows whose they were; those
 * of IPsec bear what the request says of itself, which is 0 of most programs (xfrm_user.c).
 */
const anonymous: ReadonlySet<KernelEvent["group"]> = new Set(["link", "firewall", "ipsec"]);

/**
 * Who did it, as far as the kernel tells: `ip[812]`, or `process 812 (ended, name unknown)`. Linux does not tell for links
 * and FDB entries: their messages carry no port, whoever caused them (measured on 6.18).
 */
export function culprit(event: KernelEvent): string | undefined {
  const { group, port, program } = event;
  if (program !== undefined) return `${program}[${port}]`;
  if (port === 0) return anonymous.has(group) || isFdb(event) ? undefined : "the kernel";
  try {
    return `${Deno.readTextFileSync(`/proc/${port}/comm`).trim()}[${port}]`;
  } catch (error) {
    // The port number is the process id of most programs, but any number may be chosen; it may be gone too.
    if (error instanceof Deno.errors.NotFound) return `process ${port} (ended, name unknown)`;
    return `process ${port} (${messageOf(error)})`;
  }
}
