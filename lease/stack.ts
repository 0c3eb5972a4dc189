/**
 * The address families of a network, and a network as one of them alone. A dual-stack network is two networks of one
 * family each, whose halves share their leases; code that is written for one family looks at one half at a time.
 */
import type { Cidr, Family } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { halfOf } from "./half.ts";
import type { NetworkConfig } from "./network.ts";
import type { SubnetRange } from "./subnet_range.ts";
import type { View } from "./view.ts";

/** The first family, whose subnets name the leases, and then the second one of a dual-stack network. */
export function familiesOf(config: Pick<NetworkConfig, "network" | "ipv6">): readonly Family[] {
  return config.ipv6 === undefined ? [config.network.family] : [config.network.family, 6];
}

/** The whole overlay of each family. */
export function networksOf(config: Pick<NetworkConfig, "network" | "ipv6">): readonly Cidr[] {
  return [config.network, ...(config.ipv6 === undefined ? [] : [config.ipv6.network])];
}

/** The config of a network that has this family alone; the same one each time. Throws RangeError where it has none. */
export function configOf(config: NetworkConfig, family: Family): NetworkConfig {
  if (family === config.network.family) return firstConfig(config, undefined);
  if (config.ipv6 !== undefined && family === 6) return secondConfig(config, config.ipv6);
  throw new RangeError(`The network has no IPv${family}`);
}

/**
 * What a network of this family alone would show: the leases that have this half, with its subnet, address and data in
 * the places of the first family and no second half. What the view refuses is told with the first family. Throws as
 * {@link configOf} does.
 */
export function viewOf(view: View, family: Family): View {
  const network = configOf(view.network, family);
  if (network === view.network) return view;
  return {
    network,
    own: view.own && halfOf(view.own, family),
    peers: view.peers.flatMap((lease) => halfOf(lease, family) ?? []),
    refused: family === 6 ? [] : view.refused,
  };
}

const firstConfig = memo((config: NetworkConfig, _: undefined): NetworkConfig => {
  const { ipv6, ...first } = config;
  return ipv6 === undefined ? config : first;
});

const secondConfig = memo((config: NetworkConfig, range: SubnetRange): NetworkConfig => {
  const { ipv6: _, ...first } = config;
  return { ...first, ...range };
});
