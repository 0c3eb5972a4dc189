/** The facts of a host on which all is well, and changes of them. */
import type { Facts, NetworkFacts, Seen } from "../../doctor/facts.ts";
import { type KernelObject, type Link, type Route, type Vxlan } from "../../kernel/state.ts";
import { parseNetworkConfig } from "../../lease/network.ts";

const vxlan: Vxlan = {
  vni: 1,
  port: 8472,
  local: "192.0.2.1",
  parent: "eth0",
  learning: false,
  gbp: false,
};

export function link(name: string, more: Partial<Link> = {}): Link {
  return { kind: "link", name, type: "", alias: "", mac: "", mtu: 1500, up: true, ...more };
}

/** A VXLAN device like flan's own. */
export function tunnel(name: string, more: Partial<Link> = {}): Link {
  return link(name, { type: "vxlan", mtu: 1450, vxlan, ...more });
}

export function address(text: string, dev: string): KernelObject {
  return { kind: "address", link: dev, address: text };
}

/** A route on the link itself, as the kernel makes one for an address. */
export function route(destination: string, link: string, more: Partial<Route> = {}): Route {
  return {
    kind: "route",
    destination,
    metric: 0,
    link,
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: 2,
    ...more,
  };
}

export function sysctl(name: string, value: string): KernelObject {
  return { kind: "sysctl", name, value };
}

/** A proxy that carries, for a network of backend udp. */
export const proxy = {
  kind: "proxy",
  link: "flan0",
  address: "192.0.2.1",
  port: 8285,
  subnet: "10.5.1.0/24",
  source: "10.5.1.0",
  checkSource: true,
  queues: 1,
  carrying: true,
} as const;

const objects: readonly KernelObject[] = [
  link("eth0"),
  address("192.0.2.1/24", "eth0"),
  route("192.0.2.0/24", "eth0"),
  tunnel("flan.1", { alias: "flan 11aa" }),
  address("10.5.1.0/32", "flan.1"),
  link("cni0", { type: "bridge", mtu: 1450 }),
  address("10.5.1.1/24", "cni0"),
  sysctl("net/ipv4/ip_forward", "1"),
  sysctl("net/bridge/bridge-nf-call-iptables", "0"),
  ...["all", "flan.1", "eth0"].map((name) => sysctl(`net/ipv4/conf/${name}/rp_filter`, "0")),
];

const config = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });

const network: NetworkFacts = {
  encrypted: false,
  config,
  devices: ["flan.1"],
  planes: [{ config, devices: ["flan.1"] }],
  ways: [],
  own: "10.5.1.0/24",
  mtu: 1450,
  underlay: undefined,
  noUnderlay: undefined,
  planned: [tunnel("flan.1", { alias: "flan 11aa" })],
  drift: [],
  intruders: [],
};

export interface Changed extends Partial<Omit<Facts, "network" | "kernel">> {
  readonly network?: Partial<NetworkFacts>;
  /** Objects that are there too, or instead of those with the same name. */
  readonly there?: readonly KernelObject[];
  /** Names of links and sysctls that are not there. */
  readonly gone?: readonly string[];
}

export function factsOf({ network: net, there = [], gone = [], ...rest }: Changed = {}): Facts {
  const nameOf = (one: KernelObject) => one.kind === "link" || one.kind === "sysctl" ? one.name : undefined;
  const replaced = new Set([...there.map(nameOf), ...gone]);
  replaced.delete(undefined);
  const seen = <T>(value: T): Seen<T> => ({ seen: value });
  return {
    isAdmin: true,
    version: "1.2.3",
    network: seen({ ...network, ...net }),
    kernel: seen({ objects: [...objects.filter((one) => !replaced.has(nameOf(one))), ...there] }),
    lacks: [],
    udp: seen([]),
    dropping: seen([]),
    input: seen([]),
    networkd: { isRunning: false, linkFiles: [], networkFiles: [] },
    store: seen([]),
    subnetFile: {
      path: "/run/subnet.env",
      text: seen(
        "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n",
      ),
    },
    stateDir: { path: "/var/lib/flan", problem: undefined },
    agent: seen({
      joined: true,
      once: false,
      start: "flan up",
      state: "running",
      version: "1.2.3",
      problems: [],
    }),
    ...rest,
  };
}
