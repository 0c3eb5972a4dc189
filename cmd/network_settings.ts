/** The settings that shape a network: what a new one starts with, and whether an existing one agrees. */
import { backendFor } from "../backends/registry.ts";
import { isSecretOption } from "../net/secret_option.ts";
import { type NetworkConfig, newNetworkConfig, type NewRange } from "../lease/network.ts";
import { invalid } from "../net/errors.ts";
import { type Cidr, familyOf, formatCidr, formatIp, overlaps, parseCidr } from "../net/ip.ts";
import type { Clock } from "../net/clock.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";
import type { KernelObject } from "../kernel/state.ts";
import { coveringOf } from "../agent/overlap.ts";
import type { Loaded } from "./config.ts";
import type { Context } from "./context.ts";
import { kebab, type SettingKey, type Settings } from "./settings.ts";

/** Tried in this order where `--network` is not given; flannel's documentation and Kubernetes use the first. */
const DEFAULT_NETWORKS = ["10.244.0.0/16", "10.213.0.0/16", "172.29.0.0/16", "192.168.192.0/18"];

/** As text 128 characters, of which the backend wants 96. */
const SECRET_BYTES = 64;

/**
 * The network to start where the store holds none: as the settings say, or the first default network that
 * overlaps nothing this host routes already. Throws `invalid`.
 */
export function startingConfig(
  { settings, clock }: Pick<Context, "settings" | "clock">,
  host: readonly KernelObject[],
): Json {
  const ipv6 = ipv6Of(settings);
  return newNetworkConfig({
    // Only who names IPv6 and not IPv4 wants the one without the other.
    ipv4: ipv6 !== undefined && !namesIpv4(settings) ? undefined : {
      network: settings.network ?? freeNetwork(host),
      subnetLen: settings.subnetLen,
      subnetMin: settings.subnetMin,
      subnetMax: settings.subnetMax,
    },
    ipv6,
    backend: {
      Type: settings.backend ?? (settings.encrypt ? "wireguard" : "vxlan"),
      ...secretFor({ settings, clock }),
      ...settings.backendOption,
    },
  });
}

/** The secret that an ipsec network cannot be without, and that nobody has to know, where the settings name none. */
export function secretFor(
  { settings, clock }: {
    settings: Pick<Settings, "backend"> & {
      readonly backendOption: Readonly<Record<string, unknown>> | undefined;
    };
    clock: Pick<Clock, "randomBytes">;
  },
): { PSK?: string } {
  if (settings.backend?.toLowerCase() !== "ipsec") return {};
  const isNamed = Object.keys(settings.backendOption ?? {}).some(isSecretOption);
  return isNamed ? {} : { PSK: clock.randomBytes(SECRET_BYTES).toHex() };
}

/** The IPv6 overlay, which may also be named as `--network` where there is to be no other. Throws `invalid` for two. */
function ipv6Of({ network, network6, subnetLen6, subnetMin6, subnetMax6 }: Settings): NewRange | undefined {
  const alone = network !== undefined && familyOf(network) === 6 ? network : undefined;
  if (alone !== undefined && network6 !== undefined) {
    throw invalid(
      "network",
      `Cannot use --network ${alone} with --network6 ${network6}: one IPv6 network is enough`,
    );
  }
  const named = alone ?? network6;
  if (named !== undefined) {
    return { network: named, subnetLen: subnetLen6, subnetMin: subnetMin6, subnetMax: subnetMax6 };
  }
  const given = Object.entries({ subnetLen6, subnetMin6, subnetMax6 }).find(([, value]) =>
    value !== undefined
  );
  if (given === undefined) return undefined;
  throw invalid("network", `Cannot use --${kebab(given[0])}: no IPv6 network is named`, "add --network6");
}

function namesIpv4({ network, subnetLen, subnetMin, subnetMax }: Settings): boolean {
  const given = Object.entries({ subnetLen, subnetMin, subnetMax }).find(([, value]) => value !== undefined);
  if (network === undefined || familyOf(network) === 4) return network !== undefined || given !== undefined;
  if (given === undefined) return false;
  const instead = `${kebab(given[0])}6`;
  throw invalid("network", `Cannot use --${kebab(given[0])}: --network ${network} is IPv6`, `--${instead}`);
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
  const [ipv4, ipv6] = config.network.family === 4 ? [config, config.ipv6] : [undefined, config];
  const first = (cidr: Cidr | undefined) => cidr && formatIp({ family: cidr.family, value: cidr.address });
  const stored: [SettingKey, string | number | undefined, string | number | undefined][] = [
    ["backend", settings.backend?.toLowerCase(), config.backendType],
    ["network", settings.network, formatCidr(config.network)],
    ["subnetLen", settings.subnetLen, ipv4?.subnetLength],
    ["subnetMin", settings.subnetMin, first(ipv4?.subnetMin)],
    ["subnetMax", settings.subnetMax, first(ipv4?.subnetMax)],
    ["network6", settings.network6, ipv6 && formatCidr(ipv6.network)],
    ["subnetLen6", settings.subnetLen6, ipv6?.subnetLength],
    ["subnetMin6", settings.subnetMin6, first(ipv6?.subnetMin)],
    ["subnetMax6", settings.subnetMax6, first(ipv6?.subnetMax)],
  ];
  for (const [key, wanted, existing] of stored) {
    if (wanted === undefined || wanted === existing) continue;
    throw invalid(
      "network",
      `Cannot join the network in ${store}: ${kebab(key)} is ${wanted} here (${sources[key]}) but ${
        existing ?? "not set"
      } there`,
      "flan config get shows the network",
    );
  }
  for (const [key, wanted] of Object.entries(settings.backendOption ?? {})) {
    const name = Object.keys(config.backendOptions).find((known) =>
      known.toLowerCase() === key.toLowerCase()
    );
    const existing = name === undefined ? undefined : config.backendOptions[name];
    if (existing === wanted) continue;
    const shown = (value: Json) => isSecretOption(key) ? "a secret" : quoted(value);
    throw invalid(
      "network",
      `Cannot join the network in ${store}: backend option ${key} is ${
        shown(wanted)
      } here (${sources.backendOption}) but ${existing === undefined ? "not set" : shown(existing)} there`,
      "flan config get shows the network",
    );
  }
}
