/** The options of the wireguard backend, as flannel has them. */
import type { NetworkConfig } from "../lease/network.ts";
import { familiesOf } from "../lease/stack.ts";
import type { Family } from "../net/ip.ts";
import { fingerprint } from "../net/fingerprint.ts";
import { OptionReader } from "./options.ts";
import { readKey } from "../net/wireguard_key.ts";

/** By which underlay the overlays go: each by that of its own family and with a device of its own, or all with one device. */
const modes = ["separate", "auto", "ipv4", "ipv6"] as const;
export type WireguardMode = (typeof modes)[number];

export interface WireguardOptions {
  readonly mode: WireguardMode;
  /** Where this host listens: a device for each family has a port of its own, one for both has the first. */
  readonly listenPorts: Readonly<Record<Family, number>>;
  /** Seconds between two packets that keep a NAT open, 0 for none. */
  readonly keepalive: number;
  /** The key that all hosts share beside their own ones, undefined for none. */
  readonly presharedKey: { readonly bytes: Uint8Array; readonly fingerprint: string } | undefined;
  /** The underlay's MTU where the network names one, which flannel subtracts from. */
  readonly underlayMtu: number | undefined;
}

/** flannel's defaults; the first is WireGuard's. */
const DEFAULT_PORTS = { 4: 51820, 6: 51821 };

/** Smallest underlay whose overlay carries what every IPv4 host must accept (RFC 791: 576). */
const MIN_UNDERLAY_MTU = 636;

const known = ["listenport", "listenportv6", "persistentkeepaliveinterval", "psk", "mtu", "mode"];

type Config = Pick<NetworkConfig, "network" | "ipv6" | "backendOptions">;

/** The options, and what is wrong with them: what cannot be used has its default. */
export function readWireguardOptions(
  config: Config,
): { options: WireguardOptions; read: OptionReader } {
  const read = new OptionReader(config.backendOptions, { backend: "wireguard", known });
  const psk = read.secret("psk", { read: readKey, needed: "32 bytes in base64, as wg genpsk makes them," });
  const mode = readMode(read, config);
  const options: WireguardOptions = {
    mode,
    listenPorts: readPorts(read, mode),
    keepalive: read.integer("persistentkeepaliveinterval", { least: 0, most: 65535 }) ?? 0,
    presharedKey: psk === undefined ? undefined : { bytes: psk, fingerprint: fingerprint(psk) },
    underlayMtu: read.integer("mtu", { least: MIN_UNDERLAY_MTU, most: 65535, zero: true }),
  };
  return { options, read };
}

/** Hosts announce an address of each family that the network has, and no other. */
function readMode(read: OptionReader, config: Config): WireguardMode {
  const mode = read.word("mode", modes);
  const families = familiesOf(config);
  if (mode !== "ipv4" && mode !== "ipv6") return mode;
  const family: Family = mode === "ipv4" ? 4 : 6;
  if (!families.includes(family)) {
    read.problems.push(
      `Mode is "${mode}", and the hosts of a network without IPv${family} announce no IPv${family} address`,
    );
  }
  return mode;
}

function readPorts(read: OptionReader, mode: WireguardMode): Record<Family, number> {
  const rule = { least: 1, most: 65535, zero: true };
  const port = read.integer("listenport", rule) ?? DEFAULT_PORTS[4];
  const second = read.integer("listenportv6", rule) ?? DEFAULT_PORTS[6];
  if (mode === "separate") return { 4: port, 6: second };
  const key = read.keyOf("listenportv6");
  if (key !== undefined) read.ignored(key, `is ignored: with Mode "${mode}" there is one device`);
  return { 4: port, 6: port };
}
