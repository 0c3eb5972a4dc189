/** The structures of `ffi/proxy/flan_proxy.h` as bytes. Both machines that flan runs on are little-endian. */
import type { Family } from "../net/ip.ts";
import { addressBytes, prefixBytes } from "./bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface Queue {
  readonly tun: number;
  readonly socket: number;
}

/** struct flan_queue { i32 tun; i32 socket; } */
export function encodeQueues(queues: readonly Queue[]): Int32Array<ArrayBuffer> {
  return new Int32Array(queues.flatMap(({ tun, socket }) => [tun, socket]));
}

/** struct flan_options { i32 raw; u32 features; u32 family; } */
export function encodeOptions(
  { raw, features, family }: { raw: number; features: number; family: Family },
): Int32Array<ArrayBuffer> {
  return new Int32Array([raw, features, family]);
}

/** FLAN_ADDRESS: 12 zero bytes stand behind an IPv4 address. */
const ADDRESS_BYTES = 16;

/** struct flan_settings { u8 address[16]; u8 subnet[16]; u32 subnet_length; u32 check_source; } */
export function encodeSettings(
  { source, subnet, checkSource }: { source: string; subnet: string; checkSource: boolean },
): Bytes {
  const bytes = new Uint8Array(2 * ADDRESS_BYTES + 8);
  const view = new DataView(bytes.buffer);
  const prefix = prefixBytes(subnet);
  bytes.set(addressBytes(source), 0);
  bytes.set(prefix.bytes, ADDRESS_BYTES);
  view.setUint32(2 * ADDRESS_BYTES, prefix.length, true);
  view.setUint32(2 * ADDRESS_BYTES + 4, checkSource ? 1 : 0, true);
  return bytes;
}

const ROUTE_BYTES = 2 * ADDRESS_BYTES + 4;

/** struct flan_route { u8 destination[16]; u8 remote[16]; u16 port; u8 length; u8 unused; } */
export function encodeRoutes(
  routes: readonly (readonly [destination: string, remote: string, port: number])[],
): Bytes {
  const bytes = new Uint8Array(routes.length * ROUTE_BYTES);
  const view = new DataView(bytes.buffer);
  const four = new Uint8Array(4);
  routes.forEach(([destination, remote, port], i) => {
    const at = i * ROUTE_BYTES;
    const prefix = prefixBytes(destination, four);
    bytes.set(prefix.bytes, at);
    bytes.set(addressBytes(remote, four), at + ADDRESS_BYTES);
    view.setUint16(at + 2 * ADDRESS_BYTES, port, true);
    bytes[at + 2 * ADDRESS_BYTES + 2] = prefix.length;
  });
  return bytes;
}
