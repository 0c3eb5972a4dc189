/** What the checks of `flan doctor` judge: gathered once, plain values, and what could not be seen said as such. */
import type { MovingNetwork } from "../agent/planes.ts";
import type { Underlay } from "../backends/backend.ts";
import { forwardingSysctl } from "../kernel/forwarding.ts";
import type { KernelObject, Route } from "../kernel/state.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { Cidr, Family } from "../net/ip.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { Fate, InboundPacket } from "./input_chains.ts";

/** A fact, or why it could not be seen. */
export type Seen<T> = { readonly seen: T } | { readonly unseen: string };

export interface Facts {
  /** Whether this process may see and ask what only root may. */
  readonly isAdmin: boolean;
  /** flan's version, of this command. */
  readonly version: string;
  /** The network that the host is in, or that `flan up` would join or start. */
  readonly network: Seen<NetworkFacts>;
  readonly kernel: Seen<KernelFacts>;
  /** What this host lacks: libraries and what the backend needs of the kernel. */
  readonly lacks: readonly Lack[];
  readonly udp: Seen<readonly UdpSocket[]>;
  /**
   * Chains on the forward hook that drop by policy and let nothing of the network through, as `ip filter FORWARD`; an
   * `inet` chain where that is so for one family of the network.
   */
  readonly dropping: Seen<readonly string[]>;
  readonly input: Seen<readonly InputChain[]>;
  readonly networkd: NetworkdFacts;
  /** What is wrong with the store and with what stands in it. */
  readonly store: Seen<readonly Diagnosis[]>;
  readonly subnetFile: { readonly path: string; readonly text: Seen<string | undefined> };
  /** Why the state directory cannot be used, where it is there and cannot. */
  readonly stateDir: { readonly path: string; readonly problem: string | undefined };
  readonly agent: Seen<AgentFacts>;
}

export interface NetworkFacts {
  readonly config: NetworkConfig;
  /** The names of the backend's devices, and of former backends' that the host still has. */
  readonly devices: readonly string[];
  /** The network by each of its backends that the host has, with the devices of that one, the present one first. */
  readonly planes: MovingNetwork["planes"];
  /** By which link packets go to peers, each once; none where no peer is planned. */
  readonly ways: readonly { readonly family: Family; readonly link: string }[];
  /** Whether nobody on the underlay can read the network's packets. */
  readonly encrypted: boolean;
  /** This host's subnet, undefined where it has none. */
  readonly own: string | undefined;
  /** Its subnet of the second family, undefined where it or the network has none. */
  readonly own6?: string | undefined;
  /** The MTU of the overlay on this host, undefined where it has no underlay. */
  readonly mtu: number | undefined;
  readonly underlay: Pick<Underlay, "link" | "mtu"> | undefined;
  /** Why this host has no underlay, undefined where it has one. */
  readonly noUnderlay: string | undefined;
  /** What the backend would put on this host without any peer. */
  readonly planned: readonly KernelObject[];
  /** Whatever is not as planned, described; empty where the host has no subnet. */
  readonly drift: readonly string[];
  /** Routes of others that stand in the place of planned ones, or win over them by a longer prefix. */
  readonly intruders: readonly { readonly planned: Route; readonly found: Route }[];
}

export interface KernelFacts {
  /** Links, addresses, routes, and the sysctls that the checks ask for and that exist. */
  readonly objects: readonly KernelObject[];
}

export interface Lack {
  readonly what: "library" | "feature";
  readonly message: string;
  readonly hint: string | undefined;
}

/** A line of /proc/net/udp. */
export interface UdpSocket {
  readonly address: string;
  readonly port: number;
  /** The process that has it open, where it can be told: a socket of the kernel has none. */
  readonly holder: string | undefined;
}

/** A chain on the input hook, and what becomes there of something that peers send. */
export interface InputChain extends Pick<InboundPacket, "payload" | "link" | "isProbe"> {
  /** As `inet filter input`, or as iptables names its own. */
  readonly chain: string;
  /** The program in whose words it is opened: with those of another one a rule goes to another table. */
  readonly program: "nft" | "iptables" | "ip6tables" | "firewall-cmd";
  readonly fate: Fate;
}

export interface NetworkdFacts {
  readonly isRunning: boolean;
  /** Of each of its directories' files, in the order in which systemd takes them: the first that matches counts. */
  readonly linkFiles: readonly UnitFile[];
  readonly networkFiles: readonly UnitFile[];
}

export interface UnitFile {
  readonly path: string;
  readonly text: Seen<string>;
}

export interface AgentFacts {
  /** Whether this host has joined and did not leave. */
  readonly joined: boolean;
  /** Whether it joined without an agent that stays (`flan up --once`). */
  readonly once: boolean;
  /** The command line that starts its agent as it was, with the flags that it had. */
  readonly start: string;
  readonly state: "running" | "joining" | "none";
  readonly version: string | undefined;
  readonly problems: readonly Diagnosis[];
}

/** Each family of the network, with this host's subnet of it where it has one. */
export function halvesOf(
  { config, own, own6 }: NetworkFacts,
): readonly { readonly network: Cidr; readonly own: string | undefined }[] {
  const second = config.ipv6 === undefined ? [] : [{ network: config.ipv6.network, own: own6 }];
  return [{ network: config.network, own }, ...second];
}

/** The sysctls that the checks judge, for the links that carry the overlay's packets. */
export function judgedSysctls(links: readonly string[]): readonly string[] {
  return [
    forwardingSysctl[4],
    forwardingSysctl[6],
    "net/bridge/bridge-nf-call-iptables",
    ...["all", ...links].map((link) => `net/ipv4/conf/${link}/rp_filter`),
  ];
}

/** The value of one of {@link judgedSysctls}, undefined where the kernel has none. */
export function sysctlOf({ objects }: KernelFacts, name: string): string | undefined {
  for (const object of objects) if (object.kind === "sysctl" && object.name === name) return object.value;
  return undefined;
}
