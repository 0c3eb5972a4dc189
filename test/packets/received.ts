/** What the receiving kernel makes of the frames that are written to the TUN. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { headerOf, isIpv6, protocolOf, upperOf } from "./headers.ts";
import { check, type Frame, NEEDS_CHECKSUM, TCP4, TCP6, UDP_L4 } from "./library.ts";
import { checksumField, checksumOf, DF, pseudoHeader, URG } from "./packets.ts";
import { withHeaderChecksum, withTransportChecksum, withWord, word } from "./packets.ts";
import { isIntact, referenceSplit } from "./reference.ts";

/** The packets that it sees. Fails where an offload header is not what the kernel expects. */
export function received(frames: readonly Frame[]): Uint8Array[] {
  return frames.flatMap(({ count, offload, packet }) => {
    assert.equal(check(packet, isIpv6(packet) ? 6 : 4), "ok");
    if (count === 1) {
      assert.deepEqual(offload, { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 });
      return [packet];
    }
    const isTcp = protocolOf(packet) === 6;
    const ip = headerOf(packet);
    assert.equal(offload.flags, NEEDS_CHECKSUM);
    assert.equal(offload.type, !isTcp ? UDP_L4 : isIpv6(packet) ? TCP6 : TCP4);
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
  const isPlain = isIpv6(packet)
    ? headerOf(packet) === 40
    : (word(packet, 6) & 0x7fff) === DF && packet[0] === 0x45;
  if (!isPlain) return packet;
  const at = headerOf(packet);
  const bare = isIpv6(packet) ? packet : withHeaderChecksum(withWord(packet, 4, 0));
  if (protocolOf(packet) !== 6 || packet.length < at + 20 || !isIntact(packet)) return bare;
  const urgent = packet[at + 13]! & URG ? word(packet, at + 18) : 0;
  return withTransportChecksum(withWord(withWord(bare, at + 14, 0), at + 18, urgent));
}

/** Addresses, protocol and ports; fragments and packets with options or extension headers are of no flow. */
function flowOf(packet: Uint8Array): string {
  const upper = upperOf(packet);
  const plain = isIpv6(packet) ? 40 : 20;
  if (upper?.at !== plain || upper.isFragment || packet.length < plain + 8) return "none";
  return [upper.protocol, ...packet.subarray(isIpv6(packet) ? 8 : 12, plain + 4)].join(".");
}

/** What each flow carries, as hex digits. */
export function byFlow(packets: readonly Uint8Array[]): Record<string, string[]> {
  const flows: Record<string, string[]> = {};
  for (const packet of packets) {
    (flows[flowOf(packet)] ??= []).push(Buffer.from(essence(packet)).toString("hex"));
  }
  return flows;
}
