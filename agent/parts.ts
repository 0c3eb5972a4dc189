/** What an agent is made of; `wire.ts` puts the real parts together, tests bring their own. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Store } from "../lease/store.ts";
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";
import type { UdpCounters } from "./probing/checksum_watch.ts";
import type { HostOptions } from "./host.ts";
import type { Network } from "./network.ts";
import type { Watcher } from "./pulse.ts";
import type { ProbingParts } from "./probing/family_probing.ts";
import type { SubnetFiles } from "./subnet_env.ts";

export interface AgentOptions extends HostOptions, SubnetFiles {
  /** Seconds. */
  readonly leaseTtl: number;
}

export interface AgentParts {
  readonly store: Store;
  readonly kernel: Kernel;
  /** Why the kernel's last look did not see what the network's commands did; undefined where it did. */
  readonly hooksTrouble?: (() => Error | undefined) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** This host's identity, which must be in the state directory. */
  readonly node: string;
  readonly options: AgentOptions;
  /** Told of each network that the host goes over to, whose plans name secrets; undefined where none can. */
  readonly secrets?: { learn(network: Pick<Network, "backend" | "config">): void } | undefined;
  /** The kernel's id of this boot, where it tells. */
  readonly bootId?: string | undefined;
  /** Runs a command of the network's on this host, and resolves to what it said. Throws FlanError. */
  readonly runCommand: (command: string) => Promise<string>;
  /** Whoever is told that the loop turns. */
  readonly watcher?: Watcher | undefined;
  /** Told when another link or address has come to carry the overlay. Must not throw. */
  readonly moved?: (() => void) | undefined;
  /** What is counted of UDP on this host; undefined where nobody counts. */
  readonly udpCounters?: UdpCounters | undefined;
  /** How the network is measured; undefined where it is not. */
  readonly probes?: Pick<ProbingParts, "open" | "port"> | undefined;
}
