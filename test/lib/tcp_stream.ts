/** A captured TCP stream, judged by what the sending kernel promises of it: RFC 9293, RFC 6864, and its own habits. */

interface Segment {
  readonly id: number;
  readonly seq: number;
  readonly flags: number;
  readonly length: number;
}

const [FIN, SYN, PSH] = [1, 2, 8];

function segmentOf(packet: Uint8Array): Segment {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const header = (packet[0]! & 15) * 4;
  const data = header + (packet[header + 12]! >> 4) * 4;
  return {
    id: view.getUint16(4),
    seq: view.getUint32(header + 4),
    flags: packet[header + 13]!,
    length: packet.length - data,
  };
}

/**
 * What is wrong with the one stream to `port` that carried `bytes` in `packets`: identifications that do not follow each
 * other, sequence numbers with gaps, flags that only the last segment of a super-packet has.
 */
export function tcpFaults(
  packets: readonly Uint8Array[],
  { port, bytes }: { port: number; bytes: number },
): string[] {
  const all = packets.filter((one) => one[9] === 6 && (one[22]! << 8 | one[23]!) === port).map(segmentOf);
  // What comes after the data may be sent by a kernel that has forgotten the connection.
  const segments = all.slice(0, 1 + all.findLastIndex(({ length }) => length > 0));
  const full = Math.max(...segments.map(({ length }) => length));
  const faults: string[] = [];
  for (const [i, one] of segments.entries()) {
    const before = segments[i - 1];
    if (before === undefined) continue;
    // Linux numbers the packets of a connection one by one (ip_select_ident_segs), retransmissions too.
    if (one.id !== (before.id + 1) % 65536) faults.push(`segment ${i} has id ${one.id} after ${before.id}`);
    if (before.flags & FIN) faults.push(`segment ${i - 1} ends the stream`);
    // It pushes at the end of a write, and a write here has many segments.
    if (one.flags & before.flags & PSH && one.length === full && before.length === full) {
      faults.push(`segments ${i - 1} and ${i} push`);
    }
  }
  const start = segments.find(({ flags }) => flags & SYN)?.seq;
  if (start === undefined) return ["no SYN"];
  let next = (start + 1) >>> 0;
  const lengths = new Map(
    segments.filter(({ length }) => length > 0).map(({ seq, length }) => [seq, length]),
  );
  for (let left = bytes; left > 0;) {
    const length = lengths.get(next);
    if (length === undefined) return [...faults, `nothing begins at ${next}, ${left} bytes before the end`];
    next = (next + length) >>> 0;
    left -= length;
  }
  return faults.slice(0, 9);
}
