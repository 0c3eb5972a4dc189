/** The structures of `ffi/proxy/flan_proxy.h` as bytes. Both machines that flan runs on are little-endian. */
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

/** struct flan_options { i32 raw; u32 features; } */
export function encodeOptions(raw: number, features: number): Int32Array<ArrayBuffer> {
  return new Int32Array([raw, features]);
}

/** struct flan_settings { u32 address; u32 subnet; u32 subnet_length; u32 check_source; } */
export function encodeSettings(
  { source, subnet, checkSource }: { source: string; subnet: string; checkSource: boolean },
): Bytes {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const prefix = prefixBytes(subnet);
  bytes.set(addressBytes(source), 0);
  bytes.set(prefix.bytes, 4);
  view.setUint32(8, prefix.length, true);
  view.setUint32(12, checkSource ? 1 : 0, true);
  return bytes;
}

const ROUTE_BYTES = 12;

/** struct flan_route { u32 destination; u32 remote; u16 port; u8 length; u8 unused; } */
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
    bytes.set(addressBytes(remote, four), at + 4);
    view.setUint16(at + 8, port, true);
    bytes[at + 10] = prefix.length;
  });
  return bytes;
}
