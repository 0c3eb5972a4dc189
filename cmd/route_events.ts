/** What `flan routes watch` says of the kernel's events: what changed, and who did it. */
import { culprit } from "../agent/suspects.ts";
import type { KernelEvent } from "../kernel/kernel.ts";

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

/** Keeps in mind what others did, so that it can tell a repair. */
export class RouteEvents {
  /** What others deleted or set. The oldest goes first where somebody floods us. */
  readonly #touched = new Set<string>();

  /** `agent` is the process that runs as this host's agent, if one does. */
  take(event: KernelEvent, agent: number | undefined): RouteEvent {
    if (event.group === "overrun") {
      return { event: "lost", kind: null, object: null, by: null, pid: null, repaired: false };
    }
    const kind = event.mac === undefined ? event.group : "fdb";
    const what = event.mac ?? event.subject;
    const object = objectOf(event, what);
    const key = `${kind} ${what ?? event.link}`;
    const isFlan = event.port !== 0 && event.port === agent;
    const did = event.action === "new" ? "set" : event.action === "delete" ? "deleted" : "wanted";
    const repaired = isFlan && this.#touched.delete(key);
    if (!isFlan && did !== "wanted") this.#touch(key);
    // Of FDB entries the kernel never tells; its port is 0 whoever it was.
    const by = kind === "fdb" ? undefined : isFlan ? `flan[${event.port}]` : culprit(event);
    return { event: did, kind, object, by: by ?? null, pid: event.port === 0 ? null : event.port, repaired };
  }

  #touch(key: string): void {
    this.#touched.delete(key);
    this.#touched.add(key);
    const [oldest] = this.#touched;
    if (this.#touched.size > MOST && oldest !== undefined) this.#touched.delete(oldest);
  }
}

const MOST = 50_000;

/** In words; events of the packet filter name nothing. */
function objectOf({ group, link }: KernelEvent, what: string | undefined): string {
  if (group === "firewall") return "packet filter";
  if (group === "link" || what === undefined) return link ?? "unknown";
  return [what, link && `dev ${link}`].filter(Boolean).join(" ");
}

/** One line for a person; `time` is milliseconds since 1970. */
export function eventLine({ event, kind, object, by, repaired }: RouteEvent, time: number): string {
  const at = new Date(time).toISOString();
  if (event === "lost") return `${at}  events were lost: flan routes diff shows how it stands`;
  const who = by === null ? "" : `  by ${by}${repaired ? " (repaired)" : ""}`;
  const what = kind === "firewall" ? object : `${kind} ${object}`;
  return `${at}  ${event.padEnd(7)}  ${what}${who}`;
}
