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
 * other, sequence numbers with gaps, flags that only the last segment of a super-packet has. Some packets may be lost
 * on the way and sent again.
 */
export function tcpFaults(
  packets: readonly Uint8Array[],
  { port, bytes }: { port: number; bytes: number },
): string[] {
  const all = packets.filter((one) => one[9] === 6 && (one[22]! << 8 | one[23]!) === port).map(segmentOf);
  // What comes after the data may be sent by a kernel that has forgotten the connection.
  const segments = all.slice(0, 1 + all.findLastIndex(({ length }) => length > 0));
  const first = segments.find(({ flags }) => flags & SYN)?.seq;
  if (first === undefined) return ["no SYN"];
  const offset = ({ seq }: Segment) => (seq - first - 1) >>> 0;
  const faults = segments.flatMap((one, i) =>
    one.flags & FIN && offset(one) + one.length !== bytes ? [`segment ${i} ends the stream early`] : []
  );
  return [...faults, ...orderFaults(segments), ...gaps(segments, { offset, bytes })].slice(0, 9);
}

function orderFaults(segments: readonly Segment[]): string[] {
  const faults: string[] = [];
  const full = Math.max(...segments.map(({ length }) => length));
  let [following, pushing] = [0, 0];
  for (const [i, one] of segments.entries()) {
    const before = segments[i - 1];
    if (before === undefined) continue;
    // Linux numbers the packets of a connection one by one (ip_select_ident_segs), those that are sent again, too.
    const step = (one.id - before.id) & 0xffff;
    if (step === 1) following++;
    if (step === 0 || step > 0x7fff) faults.push(`segment ${i} has id ${one.id} after ${before.id}`);
    // It pushes at the end of a write and now and then, and what it sends at once has many segments.
    const isNext = (before.seq + before.length) >>> 0 === one.seq;
    if (isNext && one.flags & before.flags & PSH && one.length === full && before.length === full) {
      pushing++;
    }
  }
  // A kernel that finds little room may send single segments and push each.
  if (pushing > 0.02 * segments.length) {
    faults.push(`${pushing} of ${segments.length} push after one that does`);
  }
  if (following < 0.9 * (segments.length - 1)) faults.push(`${following} of ${segments.length} ids follow`);
  return faults;
}

function gaps(
  segments: readonly Segment[],
  { offset, bytes }: { offset: (segment: Segment) => number; bytes: number },
): string[] {
  let reached = 0;
  for (const one of segments.filter(({ length }) => length > 0).sort((a, b) => offset(a) - offset(b))) {
    if (offset(one) > reached) return [`nothing covers byte ${reached}`];
    reached = Math.max(reached, offset(one) + one.length);
  }
  return reached === bytes ? [] : [`${reached} bytes of ${bytes}`];
}
