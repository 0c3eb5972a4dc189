/**
 * A Kernel in memory. Several may stand on one {@link FakeStack}, as several programs do; what one does is
 * foreign to the others.
 */
import {
  type Change,
  type DumpRequest,
  type Failure,
  type Feature,
  type Kernel,
  type KernelEvent,
  MAIN_TABLE,
  type RouteAnswer,
  type RouteMatch,
  type RouteQuery,
} from "../../kernel/kernel.ts";
import { describe, type KernelObject, type Link, type ObjectKind, type Route } from "../../kernel/state.ts";
import { FlanError, KernelError } from "../../net/errors.ts";
import { contains, parseCidr, parseIp } from "../../net/ip.ts";
import { FakeEvents } from "./fake_events.ts";
import { type Errno, FakeStack } from "./fake_stack.ts";

/** What {@link FakeKernel.failNext} can hit: one kind of change, or a whole call. */
export type Verb = Change["verb"] | "dump" | "apply";

interface Injected {
  readonly verb: Verb;
  readonly errno: string;
  readonly kind: ObjectKind | undefined;
  times: number;
}

const texts: Readonly<Record<string, string>> = {
  EEXIST: "File exists",
  ENODEV: "No such device",
  ENETDOWN: "Network is down",
  ENOENT: "No such file or directory",
  EINVAL: "Invalid argument",
  ENETUNREACH: "Network is unreachable",
  EHOSTUNREACH: "No route to host",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EADDRINUSE: "Address already in use",
  ENOTCONN: "Transport endpoint is not connected",
};

/** What brings a feature that is missing. */
const hints: Readonly<Record<Feature, string>> = {
  vxlan: "modprobe vxlan",
  ipip: "modprobe ipip",
  ipsec: "modprobe xfrm_interface",
  "udp-encap": "modprobe esp4",
  tun: "modprobe tun",
  wireguard: "modprobe wireguard",
  proxy: "deno task build",
  hooks: "--backend extension",
  firewall: "apt-get install libnftables1",
};

let ports = 1000;

export class FakeKernel implements Kernel {
  readonly stack: FakeStack;
  /** This program's netlink port. */
  readonly port = ports++;
  /** What {@link FakeKernel.require} does not find. */
  readonly lacks = new Set<Feature>();
  /** How often each verb was called. */
  readonly calls = { dump: 0, apply: 0, events: 0, routeGet: 0, routeMatch: 0 };
  /** Every change that was attempted, in order. */
  readonly attempted: Change[] = [];
  readonly #injected: Injected[] = [];
  readonly #streams = new Set<FakeEvents>();

  constructor(stack: FakeStack = hostStack()) {
    this.stack = stack;
  }

  /** Lets the next `times` changes of that verb (and kind), or calls, fail with `errno` and do nothing. */
  failNext(verb: Verb, errno: string, options: { kind?: ObjectKind; times?: number } = {}): void {
    this.#injected.push({ verb, errno, kind: options.kind, times: options.times ?? 1 });
  }

  /** Takes injected failures that did not come to pass back; returns how many there were. */
  heal(): number {
    return this.#injected.splice(0).filter(({ times }) => times > 0).length;
  }

  require(features: readonly Feature[]): Promise<void> {
    const missing = features.find((feature) => this.lacks.has(feature));
    if (missing === undefined) return Promise.resolve();
    return Promise.reject(
      new FlanError(`Cannot use ${missing}: this host has none`, {
        op: "kernel.require",
        code: "unsupported",
        hint: hints[missing],
      }),
    );
  }

  /** All calls so far. */
  get callCount(): number {
    return Object.values(this.calls).reduce((sum, count) => sum + count, 0);
  }

  dump(request: DumpRequest): Promise<readonly KernelObject[]> {
    this.calls.dump++;
    const errno = this.#injectedErrno("dump");
    if (errno) return Promise.reject(error("Cannot read the kernel", errno, "kernel.dump"));
    const links = new Set(request.links);
    const objects = [...this.stack.read()].filter((object) => {
      if (object.kind === "neighbour" || object.kind === "fdb") {
        return links.has(object.link);
      }
      return !request.linksOnly || object.kind === "link" || object.kind === "address";
    }).map((object) => object.kind === "link" ? asAsked(object, request) : object);
    for (const name of request.sysctls) {
      const value = this.stack.sysctl(name);
      if (value !== undefined) objects.push({ kind: "sysctl", name, value });
    }
    return Promise.resolve(objects);
  }

  apply(changes: readonly Change[]): Promise<readonly Failure[]> {
    this.calls.apply++;
    const errno = this.#injectedErrno("apply");
    if (errno) return Promise.reject(error("Cannot send to the kernel", errno, "kernel.apply"));
    const failures: Failure[] = [];
    for (const change of changes) {
      this.attempted.push(change);
      const { verb, object } = change;
      const refused = this.#injectedErrno(verb, object.kind) ?? this.stack[verb](object, this.port);
      if (refused) {
        failures.push({
          change,
          error: error(`Cannot ${verb} ${describe(object)}`, refused, "kernel.apply"),
        });
      }
    }
    return Promise.resolve(failures);
  }

  events(signal: AbortSignal): AsyncIterable<KernelEvent> {
    this.calls.events++;
    const stream = new FakeEvents(this.stack, this.port);
    const end = () => {
      stream.end();
      this.#streams.delete(stream);
    };
    this.#streams.add(stream);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    return stream;
  }

  async hear(): Promise<void> {
    for (const stream of this.#streams) stream.arrive();
    await Promise.all([...this.#streams].map((stream) => stream.takenIn()));
  }

  /** Leaves announcements where a process finds them that has not been woken yet, until somebody hears them. */
  delayEvents(): void {
    for (const stream of this.#streams) stream.isDelayed = true;
  }

  /** Of the query it knows what {@link routeMatch} does, and the source. */
  routeGet(destination: string, query: RouteQuery = {}): Promise<RouteAnswer> {
    this.calls.routeGet++;
    const route = this.#bestRoute(destination, query.outgoing);
    const what = `Cannot find a route to ${destination}`;
    if (!route) return Promise.reject(error(what, "ENETUNREACH", "kernel.routeGet"));
    if (route.type !== "unicast") return Promise.reject(error(what, "EHOSTUNREACH", "kernel.routeGet"));
    let { source = "" } = query;
    for (const object of this.stack.objects.values()) {
      if (object.kind === "address" && object.link === route.link && source === "") {
        source = object.address.split("/")[0]!;
      }
    }
    return Promise.resolve({ link: route.link, gateway: route.gateway, source, mtu: 0 });
  }

  /** Of the query it knows the outgoing link, and no reverse-path filter; the stack has the main table only. */
  routeMatch(destination: string, { outgoing }: RouteQuery = {}): Promise<RouteMatch> {
    this.calls.routeMatch++;
    const what = `Cannot look up the route to ${destination}`;
    const route = this.#bestRoute(destination, outgoing);
    if (route?.type === "unicast") return Promise.resolve({ route, table: MAIN_TABLE });
    const errno = route === undefined && outgoing === undefined ? "ENETUNREACH" : "EHOSTUNREACH";
    return Promise.reject(error(what, errno, "kernel.routeMatch"));
  }

  close(): void {
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }

  #bestRoute(destination: string, outgoing?: string): Route | undefined {
    const ip = parseIp(destination);
    let best: Route | undefined;
    let longest = -1;
    for (const route of this.stack.read()) {
      if (route.kind !== "route" || (outgoing !== undefined && route.link !== outgoing)) continue;
      const cidr = parseCidr(route.destination);
      if (!contains(cidr, ip) || cidr.length < longest) continue;
      if (best && cidr.length === longest && route.metric >= best.metric) continue;
      [best, longest] = [route, cidr.length];
    }
    return best;
  }

  #injectedErrno(verb: Verb, kind?: ObjectKind): Errno {
    const hit = this.#injected.find((injected) =>
      injected.times > 0 && injected.verb === verb && (injected.kind === undefined || injected.kind === kind)
    );
    if (!hit) return undefined;
    hit.times--;
    return hit.errno;
  }
}

/** A VXLAN device has its switch on unless somebody switches it off; it is told to whoever asks. */
function asAsked({ txChecksum = true, ...link }: Link, { txChecksums = [] }: DumpRequest): Link {
  return link.vxlan !== undefined && txChecksums.includes(link.name) ? { ...link, txChecksum } : link;
}

/** A stack with `lo` and one link that is up, with `192.0.2.1/24`. */
export function hostStack(underlay = "eth0"): FakeStack {
  const stack = new FakeStack();
  const plain: Link = { kind: "link", name: "lo", type: "", alias: "", mac: "", mtu: 65536, up: true };
  stack.add(plain);
  stack.add({ ...plain, name: underlay, type: "veth", mac: "02:00:00:00:00:aa", mtu: 1500 });
  stack.add({ kind: "address", link: underlay, address: "192.0.2.1/24" });
  return stack;
}

function error(what: string, errno: string, op: string): KernelError {
  return new KernelError(`${what}: ${texts[errno] ?? "The request failed"} (${errno})`, errno, { op });
}
