/** What `flan routes watch` says of the kernel's events: what changed, who did it, and what flan put back. */
import { culprit } from "../agent/suspects.ts";
import { differences } from "../kernel/differences.ts";
import { eventKeyOf, keyOfEvent } from "../kernel/event_key.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { linkOf, nexthopOf } from "../kernel/relations.ts";
import { type KernelObject, type Link, sameObject } from "../kernel/state.ts";

export interface RouteEvent {
  /** `set`: made, or made another. `wanted`: the kernel asks for a neighbour. `lost`: some events never came. */
  readonly event: "set" | "deleted" | "wanted" | "lost";
  /** `route`, `nexthop`, `neighbour`, `fdb`, `address`, `link`, `proxy`, `ipsec`, `firewall`; null for `lost`. */
  readonly kind: string | null;
  /** In words: `10.244.2.0/24 dev flan.1`, `packet filter`; null for `lost`. */
  readonly object: string | null;
  /** What of a link is not as planned, or of whose route it is, in words; null where it is, and of all else. */
  readonly differs: string | null;
  /** `ip[812]`, `flan[900]`, `the kernel`; null where the kernel does not tell. */
  readonly by: string | null;
  readonly pid: number | null;
  /** Whether flan put back what somebody else had taken away or changed. */
  readonly repaired: boolean;
}

/**
 * Keeps in mind what others did to what flan has planned, so that it can tell a repair. Of links and FDB entries the kernel
 * does not tell who it was: there the plan decides, which {@link RouteEvents.learn} has to keep new.
 */
export class RouteEvents {
  /** What others deleted or set. The oldest goes first where somebody floods us. */
  readonly #touched = new Set<string>();
  #planned: ReadonlyMap<string, KernelObject> = new Map();
  /** Keys of what goes along with a link or a nexthop, by its own key: mostly without a word of the kernel's. */
  #along: ReadonlyMap<string, readonly string[]> = new Map();
  /** What is another since the plan was learned last, or may be: flan itself may have changed it. */
  #changed: ReadonlySet<string> = new Set();
  /** Links that flan makes anew. */
  readonly #coming = new Set<string>();

  constructor(planned: readonly KernelObject[] = []) {
    this.learn(planned);
    this.#changed = new Set();
  }

  /** Takes another plan. What it plans otherwise than the one before, flan itself may just be changing. */
  learn(planned: readonly KernelObject[]): void {
    const now = new Map(planned.flatMap((object) => {
      const key = eventKeyOf(object);
      return key === undefined ? [] : [[key, object] as const];
    }));
    const before = this.#planned;
    const isSame = (key: string) => {
      const [was, is] = [before.get(key), now.get(key)];
      return was !== undefined && is !== undefined && sameObject(was, is);
    };
    this.#changed = new Set([...before.keys(), ...now.keys()].filter((key) => !isSame(key)));
    this.#planned = now;
    this.#along = alongIn(now);
    for (const key of this.#changed) this.#touched.delete(key);
  }

  /** Whether it depends on the plan what the event means, and the one that is known does not explain it. */
  isNews(event: KernelEvent): boolean {
    const { group, link, mac } = event;
    if (group !== "link" && mac === undefined) return false;
    return (mac !== undefined || this.#planned.has(`link ${link}`)) && !this.#isAsPlanned(event);
  }

  /** What the event is about may be planned otherwise by now, and the plan could not be asked for. */
  doubt(event: KernelEvent): void {
    const key = keyOfEvent(event);
    this.#changed = new Set([key]);
    this.#touched.delete(key);
  }

  /** `agent` is the process that runs as this host's agent, if one does. */
  take(event: KernelEvent, agent: number | undefined): RouteEvent {
    if (event.group === "overrun") {
      const nothing = { kind: null, object: null, differs: null, by: null, pid: null };
      return { event: "lost", ...nothing, repaired: false };
    }
    const key = keyOfEvent(event);
    const did = event.action === "new" ? "set" : event.action === "delete" ? "deleted" : "wanted";
    const isFlan = this.#isFlan(event, agent);
    const repaired = isFlan && did === "set" && this.#touched.delete(key);
    this.#note(event, { key, isFlan });
    const isTold = event.port !== 0 && event.port === agent;
    const by = isTold ? `flan[${event.port}]` : culprit(event);
    return {
      event: did,
      kind: event.mac === undefined ? event.group : "fdb",
      object: objectOf(event),
      differs: this.#differs(event),
      by: by ?? null,
      pid: event.port === 0 ? null : event.port,
      repaired,
    };
  }

  /** A link or an entry that is again as flan has planned it is taken to be the work of an agent that runs. */
  #isFlan(event: KernelEvent, agent: number | undefined): boolean {
    if (event.group !== "link" && event.mac === undefined) return event.port !== 0 && event.port === agent;
    return agent !== undefined && event.action === "new" && this.#isAsPlanned(event);
  }

  /** Whether a link or an FDB entry is as planned after the event; what is planned nowhere is so when it goes. */
  #isAsPlanned(event: KernelEvent): boolean {
    const planned = this.#planned.get(keyOfEvent(event));
    if (planned === undefined || event.action === "delete") {
      return planned === undefined && event.action === "delete";
    }
    if (planned.kind === "fdb") return planned.link === event.link && planned.remote === event.to;
    return this.#differs(event) === null;
  }

  #differs(event: KernelEvent): string | null {
    const { action, protocol, mtu, up, linkMac, replaces } = event;
    const planned = action === "new" ? this.#planned.get(keyOfEvent(event)) : undefined;
    if (planned?.kind === "route" && protocol !== undefined && protocol !== planned.protocol) {
      return `not flan's${replaces ? ", whose own is gone" : ""}`;
    }
    if (planned?.kind !== "link") return null;
    const mac = planned.mac === "" ? "" : linkMac ?? planned.mac;
    const found: Link = { ...planned, mac, mtu: mtu ?? planned.mtu, up: up ?? planned.up };
    return differences(planned, found) || null;
  }

  /** What others have taken away or changed. */
  #note(event: KernelEvent, { key, isFlan }: { key: string; isFlan: boolean }): void {
    const { group, action, mac } = event;
    if (group === "link" && action === "new" && isFlan) this.#coming.delete(key);
    if (isFlan || action === "wanted") return;
    if (group === "link" || mac !== undefined) {
      if (!this.#planned.has(key) || this.#isAsPlanned(event)) return;
      if (this.#changed.has(key) || this.#coming.has(key)) {
        if (group === "link") this.#coming.add(key);
        return;
      }
      this.#touch(key);
      // A link that is down loses its routes and nexthops, and keeps the rest.
      this.#lose(key, (lost) => action === "delete" || event.up === false && /^(route|nexthop) /.test(lost));
      return;
    }
    this.#touch(key);
    if (action === "delete") this.#lose(key, () => true);
  }

  /** What goes along with an object; what is planned since just now may not have been there. */
  #lose(key: string, isLost: (lost: string) => boolean): void {
    for (const lost of this.#along.get(key) ?? []) {
      if (isLost(lost) && !this.#changed.has(lost)) this.#touch(lost);
    }
  }

  #touch(key: string): void {
    this.#touched.delete(key);
    this.#touched.add(key);
    const [oldest] = this.#touched;
    if (this.#touched.size > MOST && oldest !== undefined) this.#touched.delete(oldest);
  }
}

/** Enough for a network of ten thousand hosts. */
const MOST = 50_000;

function alongIn(planned: ReadonlyMap<string, KernelObject>): ReadonlyMap<string, readonly string[]> {
  const along = new Map<string, string[]>();
  for (const [key, object] of planned) {
    const carriers = [linkOf(object) && `link ${linkOf(object)}`, nexthopOf(object)];
    for (const carrier of carriers) {
      if (carrier === "") continue;
      const others = along.get(carrier);
      if (others === undefined) along.set(carrier, [key]);
      else others.push(key);
    }
  }
  return along;
}

/** In words; events of the packet filter name nothing. */
function objectOf({ group, link, subject, mac, to }: KernelEvent): string {
  const what = mac ?? subject;
  if (group === "firewall") return "packet filter";
  if (group === "link" || what === undefined) return link ?? "unknown";
  const way = to && `${mac === undefined ? "via" : "dst"} ${to}`;
  return [what, way, link && `dev ${link}`].filter(Boolean).join(" ");
}

/** One line for a person; `time` is milliseconds since 1970. */
export function eventLine({ event, kind, object, differs, by, repaired }: RouteEvent, time: number): string {
  const at = new Date(time).toISOString();
  if (event === "lost") return `${at}  events were lost: flan routes diff shows how it stands`;
  const who = `${by === null ? "" : `  by ${by}`}${repaired ? `${by === null ? " " : ""} (repaired)` : ""}`;
  const what = kind === "firewall" ? object : `${kind} ${object}`;
  return `${at}  ${event.padEnd(7)}  ${what}${differs === null ? "" : `: ${differs}`}${who}`;
}
