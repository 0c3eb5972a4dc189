/** The network config: flannel's JSON, its defaults and its checks (reference: flannel's documentation of `Network`, `SubnetLen`, `SubnetMin`, `SubnetMax`, `Backend`). */
import type { Cidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";

export interface NetworkConfig {
  /** The whole overlay. */
  readonly network: Cidr;
  /** Prefix length of each host's subnet. */
  readonly subnetLength: number;
  /** The first and the last subnet that may be leased. */
  readonly subnetMin: Cidr;
  readonly subnetMax: Cidr;
  /** Lower-case backend name; flannel's default where the config names none is "udp". */
  readonly backendType: string;
  /** The options beside `Type`, keys as written. */
  readonly backendOptions: { readonly [key: string]: Json };
  /** Keys that no version of flannel or flan knows, as written; reported, not refused. */
  readonly unknownKeys: readonly string[];
}
