/** The options of the wireguard backend, as flannel has them. */
import type { Family } from "../net/ip.ts";
import { fingerprint } from "../net/fingerprint.ts";
import { OptionReader, type RawOptions } from "./options.ts";
import { readKey } from "../net/wireguard_key.ts";

export interface WireguardOptions {
  /** Where this host listens: a device for each family has a port of its own. */
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

/** The options, and what is wrong with them: what cannot be used has its default. */
export function readWireguardOptions(
  raw: RawOptions,
): { options: WireguardOptions; read: OptionReader } {
  const read = new OptionReader(raw, { backend: "wireguard", known });
  const psk = read.secret("psk", { read: readKey, needed: "32 bytes in base64, as wg genpsk makes them," });
  const options: WireguardOptions = {
    listenPorts: {
      4: read.integer("listenport", { least: 1, most: 65535, zero: true }) ?? DEFAULT_PORTS[4],
      6: read.integer("listenportv6", { least: 1, most: 65535, zero: true }) ?? DEFAULT_PORTS[6],
    },
    keepalive: read.integer("persistentkeepaliveinterval", { least: 0, most: 65535 }) ?? 0,
    presharedKey: psk === undefined ? undefined : { bytes: psk, fingerprint: fingerprint(psk) },
    underlayMtu: read.integer("mtu", { least: MIN_UNDERLAY_MTU, most: 65535, zero: true }),
  };
  // One device for both families is not made; a network that is set up so would not be what its owner asked for.
  read.word("mode", ["separate"]);
  return { options, read };
}
