/** What `flan routes watch` says of the kernel's events: what changed, and who did it. */
import { culprit } from "../agent/suspects.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { linkOf, nexthopOf } from "../kernel/relations.ts";
import type { KernelObject } from "../kernel/state.ts";

export interface RouteEvent {
  /** `set`: made, or made another. `wanted`: the kernel asks for a neighbour. `lost`: some events never came. */
  readonly event: "set" | "deleted" | "wanted" | "lost";
  /** `route`, `nexthop`, `neighbour`, `fdb`, `address`, `link`, `proxy`, `firewall`; null for `lost`. */
  readonly kind: string | null;
  /** In words: `10.244.2.0/24 dev flan.1`, `packet filter`; null for `lost`. */
  readonly object: string | null;
  /** `ip[812]`, `flan[900]`, `the kernel`; null where the kernel does not tell. */
  readonly by: string | null;
  readonly pid: number | null;
  /** Whether flan put back what somebody else had taken away or changed. */
  readonly repaired: boolean;
}

/** Keeps in mind what flan made and what others did to it, so that it can tell a repair. */
export class RouteEvents {
  /** What others deleted or set. The oldest goes first where somebody floods us. */
  readonly #touched = new Set<string>();
  /** What flan has on each link, with where it leads: it goes with the link, and mostly without a word of the kernel's. */
  readonly #made = new Map<string, Map<string, string | undefined>>();

  /** Links of flan's own. */
  readonly #links = new Set<string>();
  /** Keys of the routes that go with a nexthop, of which the kernel says nothing either. */
  readonly #routes = new Map<string, string>();

  /** `planned` is what stands there as flan made it, or should. */
  constructor(planned: readonly KernelObject[] = []) {
    for (const object of planned) {
      if (object.kind === "link") this.#links.add(object.name);
      if (nexthopOf(object) !== "") this.#routes.set(nexthopOf(object), planKey(object)!);
      const key = planKey(object);
      if (key !== undefined) {
        this.#make(linkOf(object), key, object.kind === "fdb" ? object.remote : undefined);
      }
    }
  }

  /** `agent` is the process that runs as this host's agent, if one does. */
  take(event: KernelEvent, agent: number | undefined): RouteEvent {
    if (event.group === "overrun") {
      return { event: "lost", kind: null, object: null, by: null, pid: null, repaired: false };
    }
    const kind = event.mac === undefined ? event.group : "fdb";
    const what = event.mac ?? event.subject;
    const key = `${kind} ${what ?? event.link}`;
    const did = event.action === "new" ? "set" : event.action === "delete" ? "deleted" : "wanted";
    const isFlan = this.#isFlan(event, { key, agent });
    const repaired = isFlan && this.#touched.delete(key);
    this.#note(event, { key, isFlan, did });
    const isTold = event.port !== 0 && event.port === agent;
    const by = isTold ? `flan[${event.port}]` : culprit(event);
    const object = objectOf(event, what);
    return { event: did, kind, object, by: by ?? null, pid: event.port === 0 ? null : event.port, repaired };
  }

  /**
   * Whether the agent did it. Of links and FDB entries the kernel does not tell: a link that comes back beside an agent, and
   * an entry that again leads where flan has it lead, are taken to be its work.
   */
  #isFlan(event: KernelEvent, { key, agent }: { key: string; agent: number | undefined }): boolean {
    const { action, group, link = "", mac, port, to } = event;
    if (group !== "link" && mac === undefined) return port !== 0 && port === agent;
    if (agent === undefined || action !== "new") return false;
    const made = this.#made.get(link);
    return group === "link" ? this.#links.has(link) : made?.has(key) === true && made.get(key) === to;
  }

  /** What flan has from now on, and what others have taken away or changed. */
  #note(
    { group, link = "", mac, to }: KernelEvent,
    { key, isFlan, did }: { key: string; isFlan: boolean; did: RouteEvent["event"] },
  ): void {
    const made = this.#made.get(link);
    if (group === "link" && did === "deleted") {
      for (const lost of made?.keys() ?? []) this.#touch(lost);
    }
    const route = this.#routes.get(key);
    if (!isFlan && did === "deleted" && route !== undefined) this.#touch(route);
    if (isFlan && did === "deleted") made?.delete(key);
    else if (isFlan || (mac !== undefined && did === "set" && !made?.has(key))) this.#make(link, key, to);
    // A link says that it was set for many reasons; nobody has to have done anything to it.
    else if (did === "deleted" || (did === "set" && group !== "link")) this.#touch(key);
  }

  #make(link: string, key: string, to: string | undefined): void {
    const made = this.#made.get(link) ?? new Map<string, string | undefined>();
    this.#made.set(link, made);
    if (made.size < MOST) made.set(key, to);
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

/** As events name it; undefined for what has none. */
function planKey(object: KernelObject): string | undefined {
  switch (object.kind) {
    case "address":
      return `address ${object.address}`;
    case "nexthop":
      return `nexthop ${object.id}`;
    case "neighbour":
      return `neighbour ${object.ip}`;
    case "fdb":
      return `fdb ${object.mac}`;
    case "route":
      return `route ${object.destination}`;
    default:
      return undefined;
  }
}

/** In words; events of the packet filter name nothing. */
function objectOf({ group, link, mac, to }: KernelEvent, what: string | undefined): string {
  if (group === "firewall") return "packet filter";
  if (group === "link" || what === undefined) return link ?? "unknown";
  const way = to && `${mac === undefined ? "via" : "dst"} ${to}`;
  return [what, way, link && `dev ${link}`].filter(Boolean).join(" ");
}

/** One line for a person; `time` is milliseconds since 1970. */
export function eventLine({ event, kind, object, by, repaired }: RouteEvent, time: number): string {
  const at = new Date(time).toISOString();
  if (event === "lost") return `${at}  events were lost: flan routes diff shows how it stands`;
  const who = `${by === null ? "" : `  by ${by}`}${repaired ? `${by === null ? " " : ""} (repaired)` : ""}`;
  const what = kind === "firewall" ? object : `${kind} ${object}`;
  return `${at}  ${event.padEnd(7)}  ${what}${who}`;
}
