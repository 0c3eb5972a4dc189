/** The settings that shape a network: what a new one starts with, and whether an existing one agrees. */
import { backendFor } from "../backends/registry.ts";
import { type NetworkConfig, newNetworkConfig } from "../lease/network.ts";
import { invalid } from "../net/errors.ts";
import { formatCidr, formatIp, overlaps, parseCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";
import type { KernelObject } from "../kernel/state.ts";
import { coveringOf } from "../agent/overlap.ts";
import type { Loaded } from "./config.ts";
import { kebab, type SettingKey } from "./settings.ts";

/** Tried in this order where `--network` is not given; flannel's documentation and Kubernetes use the first. */
const DEFAULT_NETWORKS = ["10.244.0.0/16", "10.213.0.0/16", "172.29.0.0/16", "192.168.192.0/18"];

/**
 * The network to start where the store holds none: as the settings say, or the first default network that
 * overlaps nothing this host routes already. Throws `invalid`.
 */
export function startingConfig({ settings }: Pick<Loaded, "settings">, host: readonly KernelObject[]): Json {
  return newNetworkConfig({
    network: settings.network ?? freeNetwork(host),
    subnetLen: settings.subnetLen,
    subnetMin: settings.subnetMin,
    subnetMax: settings.subnetMax,
    backend: { Type: settings.backend ?? "vxlan", ...settings.backendOption },
  });
}

function freeNetwork(host: readonly KernelObject[]): string {
  const used = coveringOf(host);
  const free = DEFAULT_NETWORKS.find((text) => !used.some(({ cidr }) => overlaps(cidr, parseCidr(text))));
  if (free !== undefined) return free;
  throw invalid(
    "network",
    `Cannot choose a network: ${DEFAULT_NETWORKS.join(", ")} all overlap this host's routes`,
    "name one with --network",
  );
}

/**
 * Holds the settings that somebody gave against the network that exists. Throws `invalid` naming both values:
 * a host must not join another network than it was told to. A backend that nobody has is refused as such.
 */
export function requireAgreement(
  { settings, sources }: Pick<Loaded, "settings" | "sources">,
  config: NetworkConfig,
  store: string,
): void {
  if (settings.backend !== undefined) backendFor(settings.backend);
  const ip = (value: bigint) => formatIp({ family: 4, value });
  const stored: [SettingKey, string | number | undefined, string | number][] = [
    ["backend", settings.backend?.toLowerCase(), config.backendType],
    ["network", settings.network, formatCidr(config.network)],
    ["subnetLen", settings.subnetLen, config.subnetLength],
    ["subnetMin", settings.subnetMin, ip(config.subnetMin.address)],
    ["subnetMax", settings.subnetMax, ip(config.subnetMax.address)],
  ];
  for (const [key, wanted, existing] of stored) {
    if (wanted === undefined || wanted === existing) continue;
    throw invalid(
      "network",
      `Cannot join the network in ${store}: ${kebab(key)} is ${wanted} here (${
        sources[key]
      }) but ${existing} there`,
      "flan config get shows the network",
    );
  }
  for (const [key, wanted] of Object.entries(settings.backendOption ?? {})) {
    const name = Object.keys(config.backendOptions).find((known) =>
      known.toLowerCase() === key.toLowerCase()
    );
    const existing = name === undefined ? undefined : config.backendOptions[name];
    if (existing === wanted) continue;
    throw invalid(
      "network",
      `Cannot join the network in ${store}: backend option ${key} is ${
        quoted(wanted)
      } here (${sources.backendOption}) but ${existing === undefined ? "not set" : quoted(existing)} there`,
      "flan config get shows the network",
    );
  }
}
