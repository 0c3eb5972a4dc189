/**
 * The text by which a user-space WireGuard is told and asked (wireguard.com/xplatform): lines `key=value`, an empty one
 * at the end, keys of cryptography in hexadecimal. Pure.
 */
import { fingerprint } from "../net/fingerprint.ts";
import { FlanError } from "../net/errors.ts";
import { formatCidr, parsePrefix } from "../net/ip.ts";
import { KEY_BYTES, keyText, readKey } from "../net/wireguard_key.ts";
import type { DeviceChange, DeviceFields, PeerChange, PeerFields } from "../kernel/wireguard_devices.ts";

export const GET = "get=1\n\n";

/** The request that carries a change out. Throws TypeError for a public key that is none. */
export function setRequest({ privateKey, listenPort, peers = [] }: DeviceChange): string {
  const lines = [
    "set=1",
    ...(privateKey === undefined ? [] : [`private_key=${hex(privateKey)}`]),
    ...(listenPort === undefined ? [] : [`listen_port=${listenPort}`]),
    ...peers.flatMap(peerLines),
  ];
  return `${lines.join("\n")}\n\n`;
}

function peerLines(peer: PeerChange): string[] {
  const key = readKey(peer.publicKey);
  if (key === undefined) throw new TypeError(`${peer.publicKey} is no public key`);
  const name = `public_key=${hex(key)}`;
  if (peer.remove) return [name, "remove=true"];
  return [
    name,
    `preshared_key=${hex(peer.presharedKey ?? new Uint8Array(KEY_BYTES))}`,
    ...(peer.endpoint === undefined ? [] : [`endpoint=${peer.endpoint}`]),
    `persistent_keepalive_interval=${peer.keepalive}`,
    "replace_allowed_ips=true",
    ...peer.allowedIps.map((prefix) => `allowed_ip=${prefix}`),
  ];
}

/** The errno in an answer, 0 for success. Throws TypeError for what is no answer. */
export function errnoIn(answer: string): number {
  const errno = Number(/^errno=(-?\d{1,6})$/m.exec(answer)?.[1] ?? NaN);
  if (Number.isNaN(errno)) throw new TypeError("it says nothing of an errno");
  return Math.abs(errno);
}

/** A device with its private key, from which the public one is computed: keep it in no other place. */
export interface Told extends Omit<DeviceFields, "publicKey"> {
  readonly privateKey: Uint8Array | undefined;
}

/** The device in an answer to {@link GET}. Unknown lines are skipped. Throws TypeError for what cannot be read. */
export function parseDevice(answer: string): Told {
  let privateKey: Uint8Array | undefined;
  let listenPort = 0;
  const peers: { -readonly [K in keyof PeerFields]: PeerFields[K] }[] = [];
  for (const line of answer.split("\n")) {
    const at = line.indexOf("=");
    const [key, value] = [line.slice(0, at), line.slice(at + 1)];
    const peer = peers.at(-1);
    if (key === "private_key") privateKey = known(value);
    else if (key === "listen_port") listenPort = number(value);
    else if (key === "public_key") {
      const none = { endpoint: "", allowedIps: [], keepalive: 0, presharedKey: "", handshake: 0 };
      peers.push({ publicKey: keyText(bytes(value)), ...none });
    } else if (peer === undefined) continue;
    else if (key === "preshared_key") peer.presharedKey = nameOf(known(value));
    else if (key === "endpoint") peer.endpoint = value;
    else if (key === "persistent_keepalive_interval") peer.keepalive = number(value);
    else if (key === "last_handshake_time_sec") peer.handshake = number(value);
    else if (key === "allowed_ip") peer.allowedIps = [...peer.allowedIps, prefix(value)];
  }
  const sorted = peers.map((peer) => ({ ...peer, allowedIps: [...peer.allowedIps].sort() }));
  return { privateKey, listenPort, peers: sorted };
}

function nameOf(secret: Uint8Array | undefined): string {
  return secret === undefined ? "" : fingerprint(secret);
}

/** A key; one of zeros stands for none. */
function known(value: string): Uint8Array | undefined {
  const key = bytes(value);
  return key.every((one) => one === 0) ? undefined : key;
}

function bytes(value: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/i.test(value)) throw new TypeError("a key is not 64 hexadecimal digits");
  return Uint8Array.from(value.match(/../g)!, (pair) => parseInt(pair, 16));
}

function hex(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function number(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new TypeError("a number is none");
  return Number(value);
}

/** As for a key, what was found is not told: a key may stand where none belongs. */
function prefix(value: string): string {
  try {
    return formatCidr(parsePrefix(value).cidr);
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    throw new TypeError("a prefix is none");
  }
}
