/** What the receiving kernel makes of the frames that are written to the TUN. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { check, type Frame, NEEDS_CHECKSUM, TCP4, UDP_L4 } from "./library.ts";
import { checksumField, checksumOf, DF, headerOf, pseudoHeader, URG } from "./packets.ts";
import { withHeaderChecksum, withTransportChecksum, withWord, word } from "./packets.ts";
import { isIntact, referenceSplit } from "./reference.ts";

/** The packets that it sees. Fails where an offload header is not what the kernel expects. */
export function received(frames: readonly Frame[]): Uint8Array[] {
  return frames.flatMap(({ count, offload, packet }) => {
    assert.equal(check(packet), "ok");
    if (count === 1) {
      assert.deepEqual(offload, { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 });
      return [packet];
    }
    const isTcp = packet[9] === 6;
    const ip = headerOf(packet);
    assert.equal(offload.flags, NEEDS_CHECKSUM);
    assert.equal(offload.type, isTcp ? TCP4 : UDP_L4);
    assert.equal(offload.headers, ip + (isTcp ? (packet[ip + 12]! >> 4) * 4 : 8));
    assert.equal(offload.start, ip);
    assert.equal(offload.offset, isTcp ? 16 : 6);
    assert.equal(word(packet, checksumField(packet)), 0xffff - checksumOf(pseudoHeader(packet)));
    if (!isTcp) assert.equal(word(packet, ip + 4), packet.length - ip);
    const packets = referenceSplit(offload, packet);
    assert.equal(packets.length, count);
    return packets;
  });
}

/**
 * A packet without what a super-packet cannot carry: the identification of one that is never fragmented means
 * nothing (RFC 6864, 4.1), nor does an urgent pointer without URG, and of several windows only the newest counts.
 */
function essence(packet: Uint8Array): Uint8Array {
  if ((word(packet, 6) & 0x7fff) !== DF || packet[0] !== 0x45) return packet;
  let bare = withHeaderChecksum(withWord(packet, 4, 0));
  if (packet[9] === 6 && packet.length >= 40 && isIntact(packet)) {
    const urgent = packet[33]! & URG ? word(packet, 38) : 0;
    bare = withTransportChecksum(withWord(withWord(bare, 34, 0), 38, urgent));
  }
  return bare;
}

/** Addresses, protocol and ports; fragments and packets with options are of no flow. */
function flowOf(packet: Uint8Array): string {
  if (packet[0] !== 0x45 || (word(packet, 6) & 0x3fff) !== 0 || packet.length < 28) return "none";
  return [packet[9], ...packet.subarray(12, 24)].join(".");
}

/** What each flow carries, as hex digits. */
export function byFlow(packets: readonly Uint8Array[]): Record<string, string[]> {
  const flows: Record<string, string[]> = {};
  for (const packet of packets) {
    (flows[flowOf(packet)] ??= []).push(Buffer.from(essence(packet)).toString("hex"));
  }
  return flows;
}
