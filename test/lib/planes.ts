/** The backends that carry packets on a real kernel, for the tests whose case is the same for each of them. */
import { systemClock } from "../../agent/clock.ts";
import type { PeerFields } from "../../kernel/wireguard_devices.ts";
import { KernelError } from "../../net/errors.ts";
import { openUapiDevices } from "../../wireguard/uapi_devices.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { StackName } from "../conformance/backend_skips.ts";
import { must } from "../../cmd/demo/shell.ts";
import { showProxy } from "./ask_proxy.ts";

/** The network that the first host starts where nobody names one. */
export const NETWORK = "10.244.0.0/16";
export const NETWORK6 = "fd00:10:244::/48";

export interface Plane {
  readonly backend: string;
  /** What `flan up` is given so that the network has this backend. */
  readonly args: readonly string[];
  /** The device that it makes, "" for none. */
  readonly device: string;
  /** The one for IPv6. */
  readonly device6: string;
  /** What it takes from the underlay's MTU. */
  readonly overhead: number;
  /** The same of its IPv6 overlay. */
  readonly overhead6: number;
  /** The destination of flan's route to the peer with this subnet. */
  readonly route: (subnet: string) => string;
  /** The subnets of the peers to which packets go from this host, of whichever family. */
  readonly reached: (host: LabHost) => Promise<readonly string[]>;
}

/** The backend where nobody names one. */
export const vxlan: Plane = {
  backend: "vxlan",
  args: [],
  device: "flan.1",
  device6: "flan-v6.1",
  overhead: 50,
  overhead6: 70,
  route: (subnet) => subnet,
  reached: ({ namespace }) => routes(namespace),
};

export const udp: Plane = {
  backend: "udp",
  args: ["--backend", "udp"],
  device: "flan0",
  device6: "flan6-0",
  overhead: 28,
  overhead6: 48,
  route: () => NETWORK,
  reached: async (host) => {
    // One route takes the packets of the whole network to the proxy.
    if ((await routes(host.namespace)).length === 0) return [];
    const proxies = [await showProxy(host), await showProxy({ runDir: `${host.runDir}/ipv6` })];
    return proxies.flatMap((one) => one?.routes.map(([destination]) => destination) ?? []);
  },
};

/** On a kernel without WireGuard by a program of its own, whose sockets lie in the host's run directory. */
export const wireguard: Plane = {
  backend: "wireguard",
  args: ["--backend", "wireguard"],
  device: "flan-wg",
  device6: "flan-wg-v6",
  overhead: 60,
  overhead6: 80,
  route: () => NETWORK,
  reached: async (host) => {
    if ((await routes(host.namespace)).length === 0) return [];
    const peers = [...await wireguardPeers(host), ...await wireguardPeers(host, wireguard.device6)];
    return peers.flatMap(({ allowedIps }) => allowedIps);
  },
};

/** The peers of a host's device; none while it has none. */
export async function wireguardPeers(
  { runDir }: LabHost,
  device = wireguard.device,
): Promise<readonly PeerFields[]> {
  const socketOf = (link: string) => `${runDir}/wireguard/${link}.sock`;
  try {
    return (await openUapiDevices({ clock: systemClock, socketOf }).read(device)).peers;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return [];
    throw error;
  }
}

/** Not on a kernel without ESP. */
export const ipsec: Plane = {
  backend: "ipsec",
  args: ["--backend", "ipsec"],
  device: "flan.ipsec",
  device6: "",
  overhead: 54,
  overhead6: 0,
  route: () => NETWORK,
  reached: async ({ namespace }) => {
    if ((await routes(namespace)).length === 0) return [];
    const shown = await must(["ip", "-netns", namespace, "xfrm", "policy", "list", "dir", "out"]);
    return [...shown.matchAll(/^src \S+ dst (\S+)/gm)].map(([, subnet]) => subnet!);
  },
};

/** It has no device, and its routes lie on the underlay. */
export const hostGw: Plane = {
  backend: "host-gw",
  args: ["--backend", "host-gw"],
  device: "",
  device6: "",
  overhead: 0,
  overhead6: 0,
  route: (subnet) => subnet,
  reached: ({ namespace }) => routes(namespace),
};

/** What `flan up` is given so that the network has these families. */
export const stackArgs: Readonly<Record<StackName, readonly string[]>> = {
  "IPv4": [],
  "IPv6": ["--network6", NETWORK6],
  "dual stack": ["--network", NETWORK, "--network6", NETWORK6],
};

/** Those with a device. */
export const planes: readonly Plane[] = [vxlan, udp];

/** The destinations of flan's routes. */
async function routes(namespace: string): Promise<string[]> {
  const shown = await Promise.all(["-4", "-6"].map(async (family) => {
    const text = await must(["ip", "-netns", namespace, family, "-j", "route", "show", "proto", "113"]);
    return JSON.parse(text || "[]") as { dst: string }[];
  }));
  return shown.flat().map(({ dst }) => dst);
}
