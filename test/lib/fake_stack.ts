/**
 * One network stack in memory, with what Linux does by itself when something changes, and the proxy beside it, with what
 * `proxy/proxied_kernel.ts` makes of it. Asynchronous events and other programs are {@link FakeKernel}'s; this is only
 * the state and its rules.
 */
import type { KernelEvent } from "../../kernel/kernel.ts";
import { changeable, isProxys, isXfrms, linkOf, proxyOf } from "../../kernel/relations.ts";
import {
  type Address,
  type Ipip,
  type KernelObject,
  keyOf,
  type Link,
  type Neighbour,
  type Nexthop,
  type Route,
} from "../../kernel/state.ts";
import {
  contains,
  familyOf,
  formatCidr,
  type Ip,
  isLinkLocal,
  parseCidr,
  parseIp,
  parsePrefix,
} from "../../net/ip.ts";
import { refuseProxys } from "./fake_proxy.ts";

/** An errno name, or undefined for success. */
export type Errno = string | undefined;

type Told = Omit<KernelEvent, "own">;

/** What the kernel's sysctls of a new link are; others are "0". */
const defaults: Readonly<Record<string, string>> = { ucast_solicit: "3", mcast_solicit: "3", accept_ra: "1" };

/** Of the route to an address's own network; IP6_RT_PRIO_ADDRCONF of net/ipv6_route.h. */
const connectedMetric = { 4: 0, 6: 256 } as const;

const groups = {
  link: "link",
  address: "address",
  nexthop: "nexthop",
  neighbour: "neighbour",
  fdb: "neighbour",
  route: "route",
  proxy: "proxy",
  masquerade: "firewall",
  "forward-rules": "firewall",
} as const;

export class FakeStack {
  readonly objects = new Map<string, KernelObject>();
  readonly #sysctls = new Map<string, string>();
  readonly #listeners = new Set<(event: Told) => void>();

  /** RTM_NEW… with NLM_F_EXCL. */
  add(object: KernelObject, port = 0): Errno {
    const refused = this.#refuse(object);
    if (refused) return refused;
    // A proxy is told what it should do, not asked whether it does it already.
    const exclusive = object.kind !== "sysctl" && !isProxys(object);
    if (exclusive && this.objects.has(keyOf(object))) return "EEXIST";
    return this.#set(object, port);
  }

  /** RTM_NEW… with NLM_F_REPLACE: it asks nobody whose the old value is. */
  replace(object: KernelObject, port = 0): Errno {
    const before = this.objects.get(keyOf(object));
    if (object.kind === "link" && before?.kind === "link") return this.#change(before, object, port);
    return this.#refuse(object) ?? this.#set(withHandshake(object, before), port);
  }

  /** RTM_DEL…: what is not there counts as done. */
  delete(object: KernelObject, port = 0): Errno {
    const before = this.objects.get(keyOf(object));
    if (before === undefined || object.kind === "sysctl") return undefined;
    if (object.kind === "route" && before.kind === "route" && object.protocol !== before.protocol) return;
    if (object.kind === "fdb" && before.kind === "fdb" && object.remote !== before.remote) return;
    this.objects.delete(keyOf(object));
    this.#tell("delete", before, port);
    this.#cascade(before);
  }

  /** Every object as a dump shows it: a route repeats what its nexthop object says. */
  *read(): Generator<KernelObject> {
    for (const object of this.objects.values()) {
      const nexthop = object.kind === "route" ? this.objects.get(`nexthop ${object.nexthop}`) : undefined;
      if (object.kind !== "route" || nexthop?.kind !== "nexthop") yield object;
      else yield { ...object, gateway: nexthop.gateway, link: nexthop.link, onlink: nexthop.onlink };
    }
  }

  sysctl(name: string): string | undefined {
    const link = linkOf({ kind: "sysctl", name, value: "" });
    if (!this.objects.has(`link ${link}`)) return undefined;
    return this.#sysctls.get(name) ?? defaults[name.split("/").at(-1)!] ?? "0";
  }

  /** A packet to `ip` finds no entry: the kernel makes one and asks user space (app_solicit). */
  ask(link: string, ip: string): void {
    const asked: Neighbour = { kind: "neighbour", link, ip, mac: "", state: "incomplete", protocol: 0 };
    const key = keyOf(asked);
    const before = this.objects.get(key);
    const state = before?.kind === "neighbour" && before.mac !== "" ? "probe" : "incomplete";
    this.objects.set(key, before?.kind === "neighbour" ? { ...before, state } : asked);
    this.#say({ group: "neighbour", action: "wanted", port: 0, link, subject: ip, state });
  }

  /** Events were lost (ENOBUFS). */
  overrun(): void {
    this.#say({ group: "overrun", action: "new", port: 0 });
  }

  listen(listener: (event: Told) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  link(name: string): Link | undefined {
    const link = this.objects.get(`link ${name}`);
    return link?.kind === "link" ? link : undefined;
  }

  /** The proxy's data plane fails by itself: it goes on running, and carries nothing. */
  failProxy(link: string): void {
    const proxy = this.objects.get(`proxy ${link}`);
    if (proxy?.kind !== "proxy" || !proxy.carrying) return;
    const idle = { ...proxy, carrying: false };
    this.objects.set(keyOf(idle), idle);
    // As proxy/watch.ts tells: it is as good as gone.
    this.#tell("delete", idle, 0);
  }

  #refuse(object: KernelObject): Errno {
    if (object.kind === "link") return this.#refuseLink(object);
    if (isProxys(object)) return refuseProxys(object, this.objects);
    const name = linkOf(object);
    const link = this.link(name);
    if (object.kind === "sysctl") return link ? undefined : "ENOENT";
    if (object.kind === "route" && object.nexthop !== 0) {
      return this.objects.has(`nexthop ${object.nexthop}`) ? undefined : "EINVAL";
    }
    if (name === "") return undefined;
    if (!link) return "ENODEV";
    if (object.kind !== "route" && object.kind !== "nexthop") return undefined;
    if (!link.up) return "ENETDOWN";
    return object.gateway === "" ? undefined : this.#refuseGateway(object);
  }

  #refuseGateway({ gateway, link, onlink }: Route | Nexthop): Errno {
    const ip = parseIp(gateway);
    if (ip.family === 6) {
      if (isLinkLocal(ip)) return undefined;
      const way = this.#wayTo(ip);
      if (onlink) return way === undefined || way.link === link ? undefined : "EINVAL";
      return way?.link === link && way.gateway === "" ? undefined : "EHOSTUNREACH";
    }
    return onlink || this.#connected(ip, link) ? undefined : "ENETUNREACH";
  }

  #wayTo(ip: Ip): Route | undefined {
    const holding = [...this.objects.values()].filter((one) =>
      one.kind === "route" && contains(parseCidr(one.destination), ip)
    ) as Route[];
    const lengthOf = ({ destination }: Route) => parseCidr(destination).length;
    return holding.sort((a, b) => lengthOf(b) - lengthOf(a))[0];
  }

  #refuseLink(link: Link): Errno {
    if (this.objects.has(keyOf(link))) return "EEXIST";
    if (link.ipip !== undefined) return this.#hasTunnel(link.ipip) ? "EEXIST" : undefined;
    const vxlan = link.vxlan;
    if (!vxlan) return undefined;
    if (vxlan.parent !== "" && !this.link(vxlan.parent)) return "ENODEV";
    for (const other of this.objects.values()) {
      if (other.kind !== "link" || !other.vxlan) continue;
      const isAlike = other.vxlan.vni === vxlan.vni && other.vxlan.port === vxlan.port;
      if (isAlike && familyOf(other.vxlan.local) === familyOf(vxlan.local)) return "EEXIST";
    }
  }

  /** Whether a device has these ends. */
  #hasTunnel({ local, remote }: Ipip): boolean {
    return [...this.objects.values()].some((other) =>
      other.kind === "link" && other.ipip?.local === local && other.ipip.remote === remote
    );
  }

  #connected(gateway: Ip, link: string): boolean {
    for (const object of this.objects.values()) {
      if (object.kind !== "route" || object.link !== link || object.gateway !== "") continue;
      if (contains(parseCidr(object.destination), gateway)) return true;
    }
    return false;
  }

  #set(object: KernelObject, port: number): Errno {
    if (object.kind === "sysctl") {
      this.#sysctls.set(object.name, object.value);
      return;
    }
    this.objects.set(keyOf(object), object);
    this.#tell("new", object, port);
    if (object.kind === "address") this.#connect(object);
  }

  #change(before: Link, link: Link, port: number): Errno {
    if (!changeable(before, link)) return "EOPNOTSUPP";
    const { txChecksum } = before;
    // What nothing is said about stays.
    this.objects.set(keyOf(link), txChecksum === undefined ? link : { txChecksum, ...link });
    this.#tell("new", link, port);
    if (before.mac !== link.mac) {
      this.#drop((other) => other.kind === "neighbour" && other.link === link.name);
    }
    if (before.up && !link.up) this.#down(link.name);
    if (!before.up && link.up) {
      for (const object of [...this.objects.values()]) {
        if (object.kind === "address" && object.link === link.name) this.#connect(object);
      }
    }
  }

  /** IPv4 routes and nexthops go without a message; the FDB stays, and of the addresses those of IPv4 do. */
  #down(link: string): void {
    this.#drop((other) =>
      (other.kind === "neighbour" || other.kind === "nexthop" || other.kind === "route" ||
        other.kind === "address" && familyOf(other.address) === 6) && other.link === link
    );
    this.#dropOrphans();
  }

  #cascade(gone: KernelObject): void {
    if (gone.kind === "nexthop") this.#dropOrphans();
    if (gone.kind === "address") this.#disconnect(gone);
    if (gone.kind === "proxy") this.#drop((other) => proxyOf(other) === keyOf(gone));
    if (gone.kind !== "link") return;
    for (const other of [...this.objects.values()]) {
      if (other.kind === "link" && other.vxlan?.parent === gone.name) this.delete(other);
    }
    for (const name of [...this.#sysctls.keys()]) {
      if (linkOf({ kind: "sysctl", name, value: "" }) === gone.name) this.#sysctls.delete(name);
    }
    this.#drop((other) => linkOf(other) === gone.name && !isProxys(other));
    this.#dropOrphans();
    this.failProxy(gone.name);
  }

  #dropOrphans(): void {
    this.#drop((other) =>
      other.kind === "route" && other.nexthop !== 0 && !this.objects.has(`nexthop ${other.nexthop}`)
    );
  }

  #drop(which: (object: KernelObject) => boolean): void {
    for (const [key, object] of this.objects) {
      if (which(object)) this.objects.delete(key);
    }
  }

  /** An address on a link that is up brings the route to its network (RTPROT_KERNEL). */
  #connect(address: Address): void {
    const { cidr } = parsePrefix(address.address);
    if (cidr.family === 4 && cidr.length === 32 || !this.link(address.link)?.up) return;
    const route: Route = {
      kind: "route",
      destination: formatCidr(cidr),
      metric: connectedMetric[cidr.family],
      link: address.link,
      gateway: "",
      onlink: false,
      nexthop: 0,
      type: "unicast",
      protocol: 2,
    };
    if (!this.objects.has(keyOf(route))) this.#set(route, 0);
  }

  /** With the last IPv4 address go its family's neighbours and the routes that use no nexthop object. */
  #disconnect(gone: Address): void {
    const { cidr } = parsePrefix(gone.address);
    const key = `route ${formatCidr(cidr)} metric ${connectedMetric[cidr.family]}`;
    const connected = this.objects.get(key);
    if (connected?.kind === "route" && connected.protocol === 2) this.objects.delete(key);
    if (cidr.family !== 4) return;
    for (const other of this.objects.values()) {
      if (other.kind === "address" && other.link === gone.link && !other.address.includes(":")) return;
    }
    this.#drop((other) =>
      (other.kind === "neighbour" && familyOf(other.ip) === 4 ||
        other.kind === "route" && other.nexthop === 0 && familyOf(other.destination) === 4) &&
      other.link === gone.link
    );
  }

  #tell(action: "new" | "delete", object: KernelObject, port: number): void {
    // Nothing tells of a proxy's routes, and of a proxy only what it does.
    if (object.kind === "sysctl" || object.kind === "proxy-route" || object.kind === "hook") return;
    // WireGuard's peers are no kernel's, and of IPsec's tables nobody listens.
    if (object.kind === "wireguard-peer" || isXfrms(object) || object.kind === "encap-socket") return;
    const link = object.kind === "link" ? object.name : linkOf(object);
    const subject = subjectOf(object);
    this.#say({
      group: groups[object.kind],
      action,
      port,
      ...(link === "" ? {} : { link }),
      ...(subject === undefined ? {} : { subject }),
      ...(object.kind === "fdb" ? { mac: object.mac, to: object.remote } : {}),
      ...(object.kind === "nexthop" ? { to: object.gateway } : {}),
      ...(object.kind === "link" && action === "new"
        ? { mtu: object.mtu, up: object.up, linkMac: object.mac }
        : {}),
      ...("protocol" in object ? { protocol: object.protocol } : {}),
      ...("state" in object ? { state: object.state } : {}),
    });
  }

  #say(event: Told): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

function subjectOf(object: KernelObject): string | undefined {
  switch (object.kind) {
    case "route":
      return object.destination;
    case "address":
      return object.address;
    case "neighbour":
      return object.ip;
    case "nexthop":
      return String(object.id);
    default:
      return undefined;
  }
}

/** A peer that is changed in place keeps its session. */
function withHandshake(object: KernelObject, before: KernelObject | undefined): KernelObject {
  if (object.kind !== "wireguard-peer" || before?.kind !== "wireguard-peer") return object;
  return before.handshakeAge === undefined ? object : { ...object, handshakeAge: before.handshakeAge };
}
