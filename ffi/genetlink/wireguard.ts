/** WireGuard's devices in generic netlink: WGDEVICE_, WGPEER_ and WGALLOWEDIP_ attributes (linux/wireguard.h). */
import type { DeviceChange, DeviceFields, PeerChange, PeerFields } from "../../kernel/wireguard_devices.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { parseCidr, parseIp } from "../../net/ip.ts";
import { parsePlace, placeOf } from "../../net/place.ts";
import { KEY_BYTES, keyText, readKey } from "../../net/wireguard_key.ts";
import { addressBytes, addressText } from "../bytes.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import { AF_INET, AF_INET6, NLM_F_REQUEST } from "../rtnetlink/constants.ts";
import { GENL_HDRLEN, genlHeader } from "./family.ts";

export const WG_FAMILY = "wireguard";
const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;

const WGDEVICE_A_IFNAME = 2;
const WGDEVICE_A_PRIVATE_KEY = 3;
const WGDEVICE_A_PUBLIC_KEY = 4;
const WGDEVICE_A_LISTEN_PORT = 6;
const WGDEVICE_A_PEERS = 8;

const WGPEER_A_PUBLIC_KEY = 1;
const WGPEER_A_PRESHARED_KEY = 2;
const WGPEER_A_FLAGS = 3;
const WGPEER_A_ENDPOINT = 4;
const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 5;
const WGPEER_A_LAST_HANDSHAKE_TIME = 6;
const WGPEER_A_ALLOWEDIPS = 9;
const WGPEER_F_REMOVE_ME = 1;
const WGPEER_F_REPLACE_ALLOWEDIPS = 2;

const WGALLOWEDIP_A_FAMILY = 1;
const WGALLOWEDIP_A_IPADDR = 2;
const WGALLOWEDIP_A_CIDR_MASK = 3;

const devicePolicy = new Policy({
  [WGDEVICE_A_PUBLIC_KEY]: "bytes",
  [WGDEVICE_A_LISTEN_PORT]: "u16",
  [WGDEVICE_A_PEERS]: "nested",
});
const peerPolicy = new Policy({
  [WGPEER_A_PUBLIC_KEY]: "bytes",
  [WGPEER_A_PRESHARED_KEY]: "bytes",
  [WGPEER_A_ENDPOINT]: "bytes",
  [WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL]: "u16",
  [WGPEER_A_LAST_HANDSHAKE_TIME]: "bytes",
  [WGPEER_A_ALLOWEDIPS]: "nested",
});
const allowedPolicy = new Policy({
  [WGALLOWEDIP_A_IPADDR]: "bytes",
  [WGALLOWEDIP_A_CIDR_MASK]: "u8",
});

/** The rest of a dump request for one device, after its header. */
export function encodeDeviceGet(message: MessageBuilder, link: string): void {
  message.putString(WGDEVICE_A_IFNAME, link);
}

export const getHeader = genlHeader(WG_CMD_GET_DEVICE);

/** The device's own settings; peers go in messages of their own. */
export function encodeDeviceSet(
  message: MessageBuilder,
  { family, link, privateKey, listenPort }: { family: number; link: string } & Omit<DeviceChange, "peers">,
): void {
  startSet(message, { family, link });
  if (privateKey !== undefined) message.put(WGDEVICE_A_PRIVATE_KEY, Uint8Array.from(privateKey));
  if (listenPort !== undefined) message.putU16(WGDEVICE_A_LISTEN_PORT, listenPort);
}

/** One peer of a device. Throws TypeError for a public key that is none, and `invalid` for other text. */
export function encodePeerSet(
  message: MessageBuilder,
  { family, link, peer }: { family: number; link: string; peer: PeerChange },
): void {
  const key = readKey(peer.publicKey);
  if (key === undefined) throw new TypeError(`${peer.publicKey} is no public key`);
  startSet(message, { family, link });
  message.nest(WGDEVICE_A_PEERS, () =>
    message.nest(0, () => {
      message.put(WGPEER_A_PUBLIC_KEY, key);
      message.putU32(WGPEER_A_FLAGS, peer.remove ? WGPEER_F_REMOVE_ME : WGPEER_F_REPLACE_ALLOWEDIPS);
      if (peer.remove) return;
      message.put(WGPEER_A_PRESHARED_KEY, Uint8Array.from(peer.presharedKey ?? new Uint8Array(KEY_BYTES)));
      if (peer.endpoint !== undefined) message.put(WGPEER_A_ENDPOINT, sockaddr(peer.endpoint));
      message.putU16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, peer.keepalive);
      message.nest(WGPEER_A_ALLOWEDIPS, () => {
        for (const prefix of peer.allowedIps) message.nest(0, () => putAllowed(message, prefix));
      });
    }));
}

function startSet(message: MessageBuilder, { family, link }: { family: number; link: string }): void {
  message.start({ type: family, flags: NLM_F_REQUEST }, genlHeader(WG_CMD_SET_DEVICE));
  message.putString(WGDEVICE_A_IFNAME, link);
}

function putAllowed(message: MessageBuilder, prefix: string): void {
  const { family, length } = parseCidr(prefix);
  message.putU16(WGALLOWEDIP_A_FAMILY, family === 4 ? AF_INET : AF_INET6);
  message.put(WGALLOWEDIP_A_IPADDR, addressBytes(prefix.slice(0, prefix.indexOf("/"))));
  message.putU8(WGALLOWEDIP_A_CIDR_MASK, length);
}

/**
 * struct sockaddr_in { u16 family; be16 port; be32 addr; u8 zero[8]; } and
 * struct sockaddr_in6 { u16 family; be16 port; be32 flowinfo; u8 addr[16]; u32 scope_id; }, netinet/in.h
 */
function sockaddr(endpoint: string): Uint8Array<ArrayBuffer> {
  const { hostname, port } = parsePlace(endpoint, "192.0.2.1:51820");
  const isFour = parseIp(hostname).family === 4;
  const bytes = new Uint8Array(isFour ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isFour ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  bytes.set(addressBytes(hostname), isFour ? 4 : 8);
  return bytes;
}

/** A device as the messages of a dump tell it: a peer with many prefixes is continued in the next one. */
export class DeviceReader {
  #publicKey = "";
  #listenPort = 0;
  readonly #peers = new Map<string, PeerFields>();

  get device(): DeviceFields {
    const peers = [...this.#peers.values()].map((peer) => ({
      ...peer,
      allowedIps: [...peer.allowedIps].sort(),
    }));
    return { publicKey: this.#publicKey, listenPort: this.#listenPort, peers };
  }

  /** Takes one message in; a malformed one is skipped. */
  read(parser: MessageParser, message: MessageBounds): void {
    if (!parser.parse(message, GENL_HDRLEN, devicePolicy)) return;
    const key = parser.data(WGDEVICE_A_PUBLIC_KEY);
    if (key?.length === KEY_BYTES) this.#publicKey = keyText(key);
    this.#listenPort = parser.u16(WGDEVICE_A_LISTEN_PORT) ?? this.#listenPort;
    for (const [offset, length] of parser.members(WGDEVICE_A_PEERS)) {
      if (parser.parseAt(offset, length, peerPolicy)) this.#take(parser);
    }
  }

  /** The peer that was parsed last. */
  #take(parser: MessageParser): void {
    const key = parser.data(WGPEER_A_PUBLIC_KEY);
    if (key?.length !== KEY_BYTES) return;
    const publicKey = keyText(key);
    const handshake = parser.data(WGPEER_A_LAST_HANDSHAKE_TIME);
    const fields = {
      publicKey,
      endpoint: endpointText(parser.data(WGPEER_A_ENDPOINT)),
      keepalive: parser.u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL) ?? 0,
      presharedKey: nameOf(parser.data(WGPEER_A_PRESHARED_KEY)),
      // struct __kernel_timespec { s64 tv_sec; s64 tv_nsec; }
      handshake: handshake?.length === 16 ? Number(viewOf(handshake).getBigInt64(0, true)) : 0,
    };
    const before = this.#peers.get(publicKey);
    const allowedIps: string[] = [...before?.allowedIps ?? []];
    for (const [offset, length] of parser.members(WGPEER_A_ALLOWEDIPS)) {
      if (!parser.parseAt(offset, length, allowedPolicy)) continue;
      const [address, mask] = [parser.data(WGALLOWEDIP_A_IPADDR), parser.u8(WGALLOWEDIP_A_CIDR_MASK)];
      if (mask === undefined || (address?.length !== 4 && address?.length !== 16)) continue;
      allowedIps.push(`${addressText(address)}/${mask}`);
    }
    this.#peers.set(publicKey, { ...(before ?? fields), allowedIps });
  }
}

function nameOf(secret: Uint8Array | undefined): string {
  return secret?.length !== KEY_BYTES || secret.every((byte) => byte === 0) ? "" : fingerprint(secret);
}

/** "" for what is no address of either family. */
function endpointText(bytes: Uint8Array<ArrayBuffer> | undefined): string {
  if (bytes === undefined || (bytes.length !== 16 && bytes.length !== 28)) return "";
  const isFour = bytes.length === 16;
  const hostname = addressText(isFour ? bytes.subarray(4, 8) : bytes.subarray(8, 24));
  return placeOf({ hostname, port: viewOf(bytes).getUint16(2, false) });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
