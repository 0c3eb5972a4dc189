/** A small overlay network to plan and reconcile in tests: 10.5.0.0/16, this host has 10.5.1.0/24. */
import type { Backend, Host } from "../../backends/backend.ts";
import { udp } from "../../backends/udp.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { Owner } from "../../kernel/ownership.ts";
import { aliasOf, type KernelObject } from "../../kernel/state.ts";
import type { Lease } from "../../lease/lease.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import type { View } from "../../lease/view.ts";
import type { Json } from "../../net/json.ts";
import { parseCidr } from "../../net/ip.ts";
import { publicKey } from "./fake_wireguard.ts";
import { macFromBytes } from "../../net/mac.ts";

export const NODE = "3f2a";

type Options = { [key: string]: Json };

export function config(backendOptions: Options = {}, backendType = "vxlan"): NetworkConfig {
  return {
    network: parseCidr("10.5.0.0/16"),
    subnetLength: 24,
    subnetMin: parseCidr("10.5.1.0/24"),
    subnetMax: parseCidr("10.5.255.0/24"),
    backendType,
    backendOptions,
    unknownKeys: [],
  };
}

/** The MAC of host `n`, 1 to 65535. */
export function macOf(n: number): string {
  return macFromBytes(Uint8Array.of(0x0e, 0, 0, 0, n >> 8, n & 255));
}

/** The lease of host `n`, 1 to 255: subnet 10.5.n.0/24 at 192.0.2.n. */
export function lease(n: number, change: Partial<Lease> = {}): Lease {
  return {
    subnet: `10.5.${n}.0/24`,
    publicIp: `192.0.2.${n}`,
    backendType: "vxlan",
    backendData: { VNI: 1, VtepMAC: macOf(n) },
    node: `node${n}`,
    expires: undefined,
    revision: n,
    ...change,
  };
}

/** The same of a network with the udp backend, whose leases announce no type. */
export function udpLease(n: number, change: Partial<Lease> = {}): Lease {
  return lease(n, { backendType: "", backendData: undefined, ...change });
}

/** What host 1 sees of a network with these other hosts. */
export function view(peers: readonly (number | Lease)[], options?: Options): View {
  return {
    network: config(options),
    own: lease(1, { node: NODE }),
    peers: peers.map((peer) => typeof peer === "number" ? lease(peer) : peer),
    refused: [],
  };
}

export function udpView(peers: readonly (number | Lease)[], options?: Options): View {
  return {
    network: config(options, "udp"),
    own: udpLease(1, { node: NODE }),
    peers: peers.map((peer) => typeof peer === "number" ? udpLease(peer) : peer),
    refused: [],
  };
}

/** What host 1 sees of an extension network with these other hosts. */
export function extensionView(peers: readonly (number | Lease)[], options: Options): View {
  const of = (n: number, change: Partial<Lease> = {}) =>
    lease(n, { backendType: "extension", backendData: `data of ${n}`, ...change });
  return {
    network: config(options, "extension"),
    own: of(1, { node: NODE }),
    peers: peers.map((peer) =>
      typeof peer !== "number" ? peer : peer > 0 ? of(peer) : of(-peer, { publicIp: `192.0.2.${100 - peer}` })
    ),
    refused: [],
  };
}

/** The lease of host `n` in a host-gw network. */
export function hostGwLease(n: number, change: Partial<Lease> = {}): Lease {
  return lease(n, { backendType: "host-gw", backendData: undefined, ...change });
}

export function hostGwView(peers: readonly (number | Lease)[], options?: Options): View {
  return {
    network: config(options, "host-gw"),
    own: hostGwLease(1, { node: NODE }),
    peers: peers.map((peer) => typeof peer === "number" ? hostGwLease(peer) : peer),
    refused: [],
  };
}

/** The lease of host `n` in a wireguard network; `key` is the number of the host whose key it announces. */
export function wireguardLease(
  n: number,
  { key = n, ...change }: Partial<Lease> & { key?: number } = {},
): Lease {
  const backendData = { PublicKey: publicKey(key), Port: 51820 };
  return lease(n, { backendType: "wireguard", backendData, ...change });
}

export function wireguardView(peers: readonly (number | Lease)[], options?: Options): View {
  return {
    network: config(options, "wireguard"),
    own: wireguardLease(1, { node: NODE }),
    peers: peers.map((peer) => typeof peer === "number" ? wireguardLease(peer) : peer),
    refused: [],
  };
}

/** Host 1 in a wireguard network. */
export function wireguardHost(change: Partial<Host> = {}): Host {
  return host({ mac: "", publicKey: publicKey(1), ...change });
}

export const wireguardOwner: Owner = { alias: aliasOf(NODE), links: ["flan-wg"], network: "10.5.0.0/16" };

/** Host `-n` is host `n` with another endpoint and key. */
export function wireguardSeenBy(options: Options): (peers: readonly number[]) => View {
  const changed = (n: number) => wireguardLease(n, { publicIp: `192.0.2.${100 + n}`, key: 100 + n });
  return (peers) => wireguardView(peers.map((n) => n > 0 ? n : changed(-n)), options);
}

/** Of 96 characters, as the ipsec backend wants them. */
export const PRESHARED_KEY = "0123456789abcdef".repeat(6);

/** What host `n` announces in an ipsec network. */
export function nonceOf(n: number): string {
  return n.toString(16).padStart(32, "0");
}

export function ipsecLease(
  n: number,
  { nonce = nonceOf(n), ...change }: Partial<Lease> & { nonce?: string } = {},
): Lease {
  return lease(n, { backendType: "ipsec", backendData: { Nonce: nonce }, ...change });
}

export function ipsecView(peers: readonly (number | Lease)[], options: Options = {}): View {
  return {
    network: config({ PSK: PRESHARED_KEY, ...options }, "ipsec"),
    own: ipsecLease(1, { node: NODE }),
    peers: peers.map((peer) => typeof peer === "number" ? ipsecLease(peer) : peer),
    refused: [],
  };
}

/** Host 1 in an ipsec network, in the epoch with this number. */
export function ipsecHost(change: Partial<Host> = {}, epoch = 20_000): Host {
  return host({ mac: "", ipsec: { nonce: nonceOf(1), epoch }, ...change });
}

/** Host `-n` is host `n` with another address and nonce. */
export function ipsecSeenBy(options: Options): (peers: readonly number[]) => View {
  const changed = (n: number) => ipsecLease(n, { publicIp: `192.0.2.${100 + n}`, nonce: nonceOf(100 + n) });
  return (peers) => ipsecView(peers.map((n) => n > 0 ? n : changed(-n)), options);
}

export function host(change: Partial<Host> = {}): Host {
  return {
    node: NODE,
    underlay: {
      link: "eth0",
      address: "192.0.2.1",
      up: true,
      mtu: 1500,
      gateways: [],
      onLink: ["192.0.2.0/24"],
      offLink: [],
    },
    local: [],
    publicIp: "192.0.2.1",
    mac: macOf(1),
    mtu: undefined,
    said: "",
    wanted: new Set(),
    txChecksum: undefined,
    firewall: { masquerade: false, exempt: [], dropping: [] },
    ...change,
  };
}

/** Host 1 in a udp network: its device has no MAC. */
export function udpHost(change: Partial<Host> = {}): Host {
  return host({ mac: "", ...change });
}

export const owner: Owner = { alias: aliasOf(NODE), links: ["flan.1"], network: "10.5.0.0/16" };

export const udpOwner: Owner = { ...owner, links: ["flan0"] };

export const ipsecOwner: Owner = { ...owner, links: ["flan.ipsec"] };

/** Of a backend without a device. */
export const bareOwner: Owner = { ...owner, links: [] };

/** The objects that host 1 wants for these peers. */
export function planned(
  peers: readonly (number | Lease)[],
  backend: Backend = vxlan,
): readonly KernelObject[] {
  return backend === udp
    ? udp.plan(udpView(peers), udpHost()).objects
    : backend.plan(view(peers), host()).objects;
}

/** The views of the backend suite: host `-n` is host `n` with another endpoint and MAC. */
export function seenBy(options: Options): (peers: readonly number[]) => View {
  const changed = (n: number) =>
    lease(n, { publicIp: `192.0.2.${100 + n}`, backendData: { VtepMAC: macOf(100 + n) } });
  return (peers) => view(peers.map((n) => n > 0 ? n : changed(-n)), options);
}

/** The same of a udp network. */
export function udpSeenBy(options: Options): (peers: readonly number[]) => View {
  const changed = (n: number) => udpLease(n, { publicIp: `192.0.2.${100 + n}` });
  return (peers) => udpView(peers.map((n) => n > 0 ? n : changed(-n)), options);
}

/** The same of a host-gw network. */
export function hostGwSeenBy(options: Options): (peers: readonly number[]) => View {
  const changed = (n: number) => hostGwLease(n, { publicIp: `192.0.2.${100 + n}` });
  return (peers) => hostGwView(peers.map((n) => n > 0 ? n : changed(-n)), options);
}

/** The same of a network whose leases announce this backend, with the `data` of each host. */
export function seenAs(
  backendType: string,
  { options = {}, data = () => undefined }: { options?: Options; data?: (n: number) => Json | undefined } =
    {},
): (peers: readonly number[]) => View {
  const of = (n: number, change: Partial<Lease> = {}) =>
    lease(n, { backendType, backendData: data(n), ...change });
  return (peers) => ({
    network: config(options, backendType),
    own: of(1, { node: NODE }),
    peers: peers.map((n) => n > 0 ? of(n) : of(-n, { publicIp: `192.0.2.${100 - n}` })),
    refused: [],
  });
}
