/** The backends that carry packets on a real kernel, for the tests whose case is the same for each of them. */
import { systemClock } from "../../agent/clock.ts";
import type { PeerFields } from "../../kernel/wireguard_devices.ts";
import { KernelError } from "../../net/errors.ts";
import { openUapiDevices } from "../../wireguard/uapi_devices.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { showProxy } from "./ask_proxy.ts";

/** The network that the first host starts where nobody names one. */
const NETWORK = "10.244.0.0/16";

export interface Plane {
  readonly backend: string;
  /** What `flan up` is given so that the network has this backend. */
  readonly args: readonly string[];
  /** The device that it makes, "" for none. */
  readonly device: string;
  /** What it takes from the underlay's MTU. */
  readonly overhead: number;
  /** The destination of flan's route to the peer with this subnet. */
  readonly route: (subnet: string) => string;
  /** The subnets of the peers to which packets go from this host. */
  readonly reached: (host: LabHost) => Promise<readonly string[]>;
}

/** The backend where nobody names one. */
export const vxlan: Plane = {
  backend: "vxlan",
  args: [],
  device: "flan.1",
  overhead: 50,
  route: (subnet) => subnet,
  reached: ({ namespace }) => routes(namespace),
};

export const udp: Plane = {
  backend: "udp",
  args: ["--backend", "udp"],
  device: "flan0",
  overhead: 28,
  route: () => NETWORK,
  reached: async (host) => {
    // One route takes the packets of the whole network to the proxy.
    if ((await routes(host.namespace)).length === 0) return [];
    return (await showProxy(host))?.routes.map(([destination]) => destination) ?? [];
  },
};

/** On a kernel without WireGuard by a program of its own, whose sockets lie in the host's run directory. */
export const wireguard: Plane = {
  backend: "wireguard",
  args: ["--backend", "wireguard"],
  device: "flan-wg",
  overhead: 60,
  route: () => NETWORK,
  reached: async (host) => {
    if ((await routes(host.namespace)).length === 0) return [];
    return (await wireguardPeers(host)).flatMap(({ allowedIps }) => allowedIps);
  },
};

/** The peers of a host's device; none while it has none. */
export async function wireguardPeers({ runDir }: LabHost): Promise<readonly PeerFields[]> {
  const socketOf = (link: string) => `${runDir}/wireguard/${link}.sock`;
  try {
    return (await openUapiDevices({ clock: systemClock, socketOf }).read("flan-wg")).peers;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return [];
    throw error;
  }
}

/** It has no device, and its routes lie on the underlay. */
export const hostGw: Plane = {
  backend: "host-gw",
  args: ["--backend", "host-gw"],
  device: "",
  overhead: 0,
  route: (subnet) => subnet,
  reached: ({ namespace }) => routes(namespace),
};

/** Those with a device. */
export const planes: readonly Plane[] = [vxlan, udp];

/** The destinations of flan's routes. */
async function routes(namespace: string): Promise<string[]> {
  const shown = await must(["ip", "-netns", namespace, "-j", "route", "show", "proto", "113"]);
  return (JSON.parse(shown || "[]") as { dst: string }[]).map(({ dst }) => dst);
}
