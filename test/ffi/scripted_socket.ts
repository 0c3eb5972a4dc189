/** A netlink socket whose kernel follows a script. */
import { errnoNumber } from "../../ffi/errno.ts";
import type { Datagrams } from "../../ffi/netlink_requests.ts";

const EAGAIN = errnoNumber("EAGAIN")!;

/** One message: header and payload. */
export function message(type: number, { flags = 0, sequence = 0, payload = new Uint8Array(0) }): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(payload, 16);
  return bytes;
}

/** The payload of an NLMSG_ERROR: the errno, the request's header, and perhaps more. */
export function refusal(
  errno: number,
  requestLength: number,
  rest: readonly number[] = [],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(20 + rest.length);
  new DataView(bytes.buffer).setInt32(0, -errno, true);
  new DataView(bytes.buffer).setUint32(4, requestLength, true);
  bytes.set(rest, 20);
  return bytes;
}

/** The messages or `-errno` that answer a send; it is given the requests' sequence numbers and types. */
export type Reply = (sequences: number[], types: number[]) => (Uint8Array | number)[];

/** A socket whose kernel answers the n-th send by the n-th reply. `flags` collects those of the requests. */
export function scripted(
  ...replies: Reply[]
): Datagrams & { sent: number; closed: boolean; flags: number[] } {
  const queue: (Uint8Array | number)[] = [];
  return {
    port: 77,
    sent: 0,
    closed: false,
    flags: [],
    send(data) {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      const [sequences, types]: [number[], number[]] = [[], []];
      for (let at = 0; at < data.length; at += view.getUint32(at, true)) {
        sequences.push(view.getUint32(at + 8, true));
        types.push(view.getUint16(at + 4, true));
        this.flags.push(view.getUint16(at + 6, true));
      }
      queue.push(...replies[this.sent++]?.(sequences, types) ?? []);
      return data.length;
    },
    receive(buffer) {
      const next = queue.shift() ?? -EAGAIN;
      if (typeof next === "number") return next;
      buffer.set(next);
      return next.length;
    },
    close() {
      this.closed = true;
    },
  };
}
