/** Random packets for property tests. Payloads come from a seed, so that long ones cost nothing. */
import fc from "fast-check";
import { ACK, DF, filler, type Ip, type Tcp, tcp, type Udp, udp } from "./packets.ts";

const byte = fc.nat(255);
const short = fc.nat(0xffff);
const long = fc.nat(0xffffffff);
const host = fc.tuple(fc.integer({ min: 1, max: 223 }), byte, byte, byte);

/** Options as they may stand in a header, also ones that cannot be read. */
const bytes40 = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
  fc.uint8Array({ maxLength: 40 }),
);

/** One option that can be read: its type, its length, and what it says. */
const readableOption = fc.tuple(byte, fc.nat(8), long).map(([type, more, seed]) =>
  type < 2 ? new Uint8Array([1]) : new Uint8Array([type, 2 + more, ...filler(more, seed)])
);

/** As many readable options as fit into a header. */
export const readableOptions = fc.array(readableOption, { maxLength: 8 }).map((options) => {
  const bytes: number[] = [];
  for (const option of options) if (bytes.length + option.length <= 40) bytes.push(...option);
  return new Uint8Array(bytes);
});

const ipFields = {
  source: host,
  destination: host,
  tos: byte,
  id: short,
  ttl: fc.integer({ min: 2, max: 255 }),
  fragment: fc.constantFrom(0, DF),
};

export const ip: fc.Arbitrary<Ip> = fc.record({ ...ipFields, options: bytes40 });

export const tcpFields: fc.Arbitrary<Tcp> = fc.record({
  ...ipFields,
  options: bytes40,
  from: short,
  to: short,
  sequence: fc.oneof(long, fc.constantFrom(0xffffffff, 0xfffffff0, 0)),
  acknowledgement: long,
  flags: byte,
  window: short,
  urgent: short,
  tcpOptions: bytes40,
});

export const udpFields: fc.Arbitrary<Udp> = fc.record({
  ...ipFields,
  options: bytes40,
  from: short,
  to: short,
});

/** As long as a packet can be, and rather short. */
export const size = (most: number) =>
  fc.oneof({ weight: 3, arbitrary: fc.nat(200) }, fc.nat(3000), fc.nat(most)).map((n) => Math.min(n, most));

/** A whole packet; what its headers leave of `most` bytes is the limit of its payload. */
export const tcpPacket = (most = 65535) =>
  fc.tuple(tcpFields, size(most), long).map(([fields, length, seed]) => {
    const headers = tcp(new Uint8Array(0), fields).length;
    return tcp(filler(Math.min(length, most - headers), seed), fields);
  });

export const udpPacket = (most = 65535) =>
  fc.tuple(udpFields, size(most), long).map(([fields, length, seed]) => {
    const headers = udp(new Uint8Array(0), fields).length;
    return udp(filler(Math.min(length, most - headers), seed), fields);
  });

/** TCP fields of which nothing stands in the way of joining. */
export const joinableTcp: fc.Arbitrary<Tcp> = tcpFields.map(({ options: _, ...fields }) => ({
  ...fields,
  flags: ACK | (fields.flags ?? 0) & 0x40,
  urgent: 0,
  fragment: DF,
}));

export const joinableUdp: fc.Arbitrary<Udp> = udpFields.map(({ options: _, ...fields }) => ({
  ...fields,
  fragment: DF,
}));

/** Packets that are likely to be of the same flow, to follow one another, or to just not do so. */
export const similarPackets = fc.array(
  fc.record({
    udp: fc.boolean(),
    port: fc.constantFrom(1, 1, 1, 2),
    step: fc.constantFrom(1, 1, 1, 1, 1, 1, 0, 2, -1),
    length: fc.constantFrom(100, 100, 100, 100, 100, 33, 0, 101),
    odd: fc.constantFrom<Tcp & { damaged?: boolean; unchecked?: boolean }>(
      ...Array.from({ length: 30 }, () => ({})),
      { flags: ACK | 8 },
      { flags: ACK | 1 },
      { flags: ACK | 0x80 },
      { flags: ACK | 0x40 },
      { flags: 0 },
      { tos: 3 },
      { ttl: 9 },
      { fragment: 0 },
      { fragment: 0x2000 },
      { fragment: 0x4001 },
      { acknowledgement: 5 },
      { window: 9 },
      { options: new Uint8Array([1, 1, 1, 1]) },
      { tcpOptions: new Uint8Array([8, 10, 1, 2, 3, 4, 5, 6, 7, 8]) },
      { damaged: true },
      { unchecked: true },
    ),
  }),
  { maxLength: 200 },
).map((list) => {
  const next = new Map<string, number>();
  return list.map(({ udp: isUdp, port, step, length, odd: { damaged, ...odd } }, i) => {
    const flow = `${isUdp} ${port}`;
    const at = (next.get(flow) ?? 1000) + (step - 1) * 100;
    next.set(flow, at + length);
    const fields = { id: i, ...odd, from: port, sequence: at };
    const packet = isUdp ? udp(filler(length, i), fields) : tcp(filler(length, i), fields);
    if (damaged) packet[packet.length - 1]! ^= 1;
    return packet;
  });
});
