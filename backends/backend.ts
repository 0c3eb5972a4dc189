/**
 * A data plane. `plan` is total, deterministic and free of I/O: the agent, `--dry-run`, `routes`, `routes
 * diff` and the simulator all use the same one. Every backend passes `test/conformance/backend_suite.ts`.
 */
import type { Lease, Refusal } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { OtherPlane } from "../lease/other_planes.ts";
import type { View } from "../lease/view.ts";
import type { Feature } from "../kernel/kernel.ts";
import type { KernelObject } from "../kernel/state.ts";
import type { Json } from "../net/json.ts";

/** What is true of this host and nothing else. */
export interface Host {
  /** flan's identity of the host, from the state directory. */
  readonly node: string;
  readonly underlay: Underlay;
  /** Addresses that this host has on other links than flan's, and gateways on those: no peer may have them. */
  readonly local: readonly string[];
  /** The address that is announced to peers; differs from the underlay's behind NAT. */
  readonly publicIp: string;
  /** The MAC of the backend's device, kept in the state directory; "" for a device without one. */
  readonly mac: string;
  /** The same for the IPv6 half of a dual-stack network; the link of both underlays is one. */
  readonly ipv6?: {
    readonly underlay: Underlay;
    readonly publicIp: string;
    readonly mac: string;
    /** Where this half has a device of its own; else it is the other half's. */
    readonly publicKey?: string;
  };
  /** The public key of its WireGuard device, whose private one is in the state directory; only for such a backend. */
  readonly publicKey?: string;
  /** Its nonce and the epoch of now; only for a backend with {@link Backend.epochs}. */
  readonly ipsec?: {
    readonly nonce: string;
    readonly epoch: number;
    /** Why both are as they were. */
    readonly trouble?: string;
  };
  /** Overrides the MTU of the overlay, or undefined to derive it from the underlay. */
  readonly mtu: number | undefined;
  /** Whether the backend's device offloads checksums, or undefined to leave it as the kernel has it. */
  readonly txChecksum: boolean | undefined;
  /** What the backend's `startup` command said on this host, "" where there is none or it did not run. */
  readonly said: string;
  /** Addresses for which the kernel has asked (on-demand mode); empty otherwise. */
  readonly wanted: ReadonlySet<string>;
  readonly firewall: Firewall;
}

/** What this host does with the packet filter, and what stands in the overlay's way there. */
export interface Firewall {
  /** Whether packets that leave the overlay get this host's address. */
  readonly masquerade: boolean;
  /** Destinations, as prefixes, to which they keep their own. */
  readonly exempt: readonly string[];
  /** Chains of others that drop what is forwarded, where the overlay's packets shall pass. */
  readonly dropping: readonly string[];
}

/** The link that carries the tunnel's packets. */
export interface Underlay {
  readonly link: string;
  readonly address: string;
  /** Whether the link is set up; one that is not carries nothing, and has no routes. */
  readonly up: boolean;
  readonly mtu: number;
  /** Gateways of the routes over this link; without them the host is cut off. */
  readonly gateways: readonly string[];
  /**
   * Prefixes of the address's family that are reached over this link without a gateway, or will be when it is up again; who is in one of
   * them is on the link.
   */
  readonly onLink: readonly string[];
  /** Prefixes within those that are reached over this link by a gateway all the same. */
  readonly offLink: readonly string[];
}

export interface Backend {
  /** flannel's canonical name, as it stands in leases. */
  readonly type: string;
  /** What not every host has and this backend needs. */
  readonly needs: readonly Feature[];
  /** What it needs beside that, by the options of the network. */
  needsFor?(config: NetworkConfig): readonly Feature[];
  /** Whether its device has a MAC, which this host then keeps so that peers need not learn another. */
  readonly hasMac: boolean;
  /** Whether its devices have WireGuard keys, which this host then keeps. */
  readonly hasKey?: true;
  /**
   * Whether nobody on the underlay can read or change its packets. Then a plan has a barrier for each network also
   * without a lease: while this host has none, or waits for another, no packet leaves in clear.
   */
  readonly encrypts?: true;
  /** Milliseconds of an epoch, where its keys change by time: then each plan is for one epoch. */
  epochs?(config: NetworkConfig): number;
  /** What of the network's options is secret, by the fingerprint that stands for it in a plan. */
  secrets?(config: NetworkConfig): ReadonlyMap<string, Uint8Array>;
  /** Options, as they count, that two hosts must have alike, or packets between them are lost; of a secret its fingerprint. */
  agreed(config: NetworkConfig): Readonly<Record<string, string | number | boolean>>;
  /**
   * Checks the config's backend options. Throws `invalid` with key and value; returns a sentence for every
   * option that this host ignores (a network shared with flannel may carry options of flannel's own).
   */
  check(config: NetworkConfig): readonly string[];
  /** Throws `invalid` for a host that this backend cannot serve. */
  requireHost(config: NetworkConfig, host: Pick<Host, "underlay" | "publicIp" | "ipv6">): void;
  /** A shell command that runs on this host before its lease is written, "" for none. */
  startup(config: NetworkConfig): string;
  /** Names of the devices it makes: one for each family of the network that needs one, in the order of the families. */
  devices(config: NetworkConfig): readonly string[];
  /** What this host's lease announces. */
  announce(config: NetworkConfig, host: Host): Announcement;
  /** MTU of the overlay on this host. */
  mtu(config: NetworkConfig, host: Host): number;
  /** Everything that should be in the kernel, and how each peer is reached. */
  plan(view: View, host: Host): Plan;
  /** What lets these peers' packets in that come by another backend, where the plan keeps such out. */
  admit?(
    view: View,
    admitted: { readonly host: Host; readonly peers: readonly Lease[] },
  ): readonly KernelObject[];
}

export interface Announcement {
  readonly backendType: string;
  readonly backendData: Json | undefined;
  /** The same of the IPv6 half of a dual-stack network. */
  readonly backendV6Data?: Json;
  /** By what else the host can be reached, while the network moves to another backend. */
  readonly otherPlanes?: readonly OtherPlane[];
}

export interface Plan {
  /** In the order in which they are made: link, sysctl, address, WireGuard peer, IPsec socket, state and policy, proxy and its routes, nexthop, FDB, neighbour, route, hook. */
  readonly objects: readonly KernelObject[];
  readonly peers: readonly PeerPlan[];
  /** Leases that the view accepts and this backend cannot use. */
  readonly refused: readonly Refusal[];
}

export interface PeerPlan {
  readonly lease: Lease;
  /** How its packets go: `vxlan`, `on-demand`, `direct`, `udp`, `host-gw`, `wireguard`, `ipip`, `ipsec`, `alloc`, `extension`. */
  readonly way: string;
  /** Keys (`keyOf`) of the objects that this peer needs. */
  readonly keys: readonly string[];
  /** The address that its packets of both families go to, where one device carries both. */
  readonly remote?: string;
}
