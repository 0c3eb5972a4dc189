/** Every setting of flan, once: flags, environment variables, config file keys and `config show` come from here. */
import { txChecksums } from "../agent/tx_checksum.ts";
import { backendTypes } from "../backends/types.ts";
import type { KnownValues } from "./cli.ts";
import type { Credentials } from "../lease/remote/credentials.ts";
import * as type from "./setting_types.ts";
import type { Parser } from "./setting_types.ts";

export interface Setting<T> {
  readonly parse: Parser<T>;
  /** The value where nobody says anything; undefined where it is derived. */
  readonly fallback: T | undefined;
  /** What stands after the flag in help, "" for a switch. */
  readonly argument: string;
  readonly help: string;
}

function setting<T>(parse: Parser<T>, argument: string, help: string): Setting<T> & { fallback: undefined };
function setting<T>(
  parse: Parser<T>,
  argument: string,
  help: string,
  fallback: T,
): Setting<T> & { fallback: T };
function setting<T>(parse: Parser<T>, argument: string, help: string, fallback?: T): Setting<T> {
  return { parse, argument, help, fallback };
}

const logFormats = ["text", "json"] as const;

/** The order is that of help and of `config show`. */
export const settings = {
  store: setting(type.store, "<url>", "where the leases live", "file:/var/lib/flan/network.json"),
  storeCa: setting(
    type.path,
    "<file>",
    "authorities (PEM) that a remote store's certificate is checked against",
  ),
  storeCert: setting(type.path, "<file>", "this host's certificate (PEM) for a remote store"),
  storeKey: setting(type.path, "<file>", "the private key (PEM) of --store-cert"),
  storeUser: setting(type.text, "<name>", "etcd user"),
  storePasswordFile: setting(type.path, "<file>", "holds the password of --store-user"),
  storeTokenFile: setting(type.path, "<file>", "holds the bearer token for a store over HTTP"),
  backend: setting(
    type.text,
    "<type>",
    `data plane of the network: ${backendTypes.join(", ")}; vxlan where none was started yet`,
  ),
  backendOption: setting(
    type.options,
    "<key=value...>",
    "option of the backend, such as VNI=7 (when starting a network)",
  ),
  network: setting(
    type.network,
    "<cidr>",
    "the overlay network; 10.244.0.0/16 where none was started yet, or another one where that overlaps this host's routes",
  ),
  subnetLen: setting(type.integer(2, 30), "<bits>", "prefix length of each host's subnet"),
  subnetMin: setting(type.anyAddress(4), "<address>", "first subnet that may be leased"),
  subnetMax: setting(type.anyAddress(4), "<address>", "last subnet that may be leased"),
  network6: setting(
    type.networkOf(6),
    "<cidr>",
    "the IPv6 overlay, beside --network or alone; none where nobody names one",
  ),
  subnetLen6: setting(type.integer(2, 126), "<bits>", "prefix length of each host's IPv6 subnet"),
  subnetMin6: setting(type.anyAddress(6), "<address>", "first IPv6 subnet that may be leased"),
  subnetMax6: setting(type.anyAddress(6), "<address>", "last IPv6 subnet that may be leased"),
  encrypt: setting(
    type.flag,
    "",
    "join no network whose packets others can read; wireguard where none was started yet",
    false,
  ),
  iface: setting(
    type.list(type.text),
    "<which...>",
    "underlay: name, address, regex:…, can-reach:ADDRESS; first that fits",
  ),
  publicIp: setting(
    type.address(4),
    "<address>",
    "address announced to peers; the interface's own by default",
  ),
  publicIp6: setting(type.address(6), "<address>", "IPv6 address announced to peers, likewise"),
  mtu: setting(type.integer(576, 65535), "<bytes>", "MTU of the overlay; from the underlay by default"),
  txChecksum: setting(
    type.oneOf(...txChecksums),
    "<when>",
    "checksums of vxlan packets are left to the hardware: on, off, or auto: as the kernel has it",
    "auto",
  ),
  ipMasq: setting(
    type.flag,
    "",
    "give packets that leave the overlay this host's address (FLAN_IP_MASQ=false: off, whatever the config file says)",
    false,
  ),
  noMasq: setting(
    type.list(type.network),
    "<cidr...>",
    "destination that sees the containers' own addresses all the same",
  ),
  noForwardRules: setting(
    type.flag,
    "",
    "do not let the overlay's packets pass others' chains that drop what is forwarded",
    false,
  ),
  leaseTtl: setting(type.duration(10), "<duration>", "how long the lease lives without renewal", 86400),
  probePort: setting(
    type.integer(0, 65535),
    "<port>",
    "UDP port that hosts measure the network by, the same on all; 0 for none",
    8473,
  ),
  stateDir: setting(type.path, "<dir>", "what must survive a reboot", "/var/lib/flan"),
  runDir: setting(type.path, "<dir>", "sockets, locks and subnet.env", "/run/flan"),
  subnetFile: setting(type.path, "<file>", "subnet.env for CNI and Docker; <run-dir>/subnet.env by default"),
  listen: setting(
    type.place,
    "<address:port>",
    "serve /livez, /readyz and /metrics there over HTTP, to whoever reaches it",
  ),
  logFile: setting(type.path, "<file>", "write the log there instead of to stderr"),
  logFormat: setting(type.oneOf(...logFormats), "<format>", logFormats.join(" or "), "text"),
  quiet: setting(type.flag, "", "say only warnings and errors", false),
  verbose: setting(type.flag, "", "say more", false),
};

export type SettingKey = keyof typeof settings;

/** The values of those settings that have but a few, for completion. */
export const fewValues: Readonly<Partial<Record<SettingKey, KnownValues>>> = {
  backend: backendTypes,
  iface: "links",
  logFormat: logFormats,
  txChecksum: txChecksums,
};

type Value<S> = S extends { parse: Parser<infer T>; fallback: infer F }
  ? (undefined extends F ? T | undefined : T)
  : never;

/** The settings' values as the program uses them. */
export type Settings = { readonly [K in SettingKey]: Value<(typeof settings)[K]> };

export type Source = "flag" | "environment" | "file" | "joined" | "default";

/** `stateDir` as a flag and a config file key: `state-dir`. */
export function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `stateDir` as an environment variable: `FLAN_STATE_DIR`. */
export function environmentName(key: string): string {
  return `FLAN_${kebab(key).replaceAll("-", "_").toUpperCase()}`;
}

/** Which store is meant, and what this host shows to it. */
export const storeSettings: readonly SettingKey[] = [
  "store",
  "storeCa",
  "storeCert",
  "storeKey",
  "storeUser",
  "storePasswordFile",
  "storeTokenFile",
];

/** The settings as the store wants them. */
export function credentialsOf(settings: Settings): Credentials {
  return {
    ca: settings.storeCa,
    cert: settings.storeCert,
    key: settings.storeKey,
    user: settings.storeUser,
    passwordFile: settings.storePasswordFile,
    tokenFile: settings.storeTokenFile,
  };
}

export const settingKeys = Object.keys(settings) as SettingKey[];
