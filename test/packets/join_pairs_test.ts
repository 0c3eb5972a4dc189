/** Which packets become one, pair by pair. */
import assert from "node:assert/strict";
import { join } from "./library.ts";
import {
  ACK,
  CWR,
  DF,
  ECE,
  filler,
  FIN,
  MF,
  PSH,
  RST,
  SYN,
  type Tcp,
  tcp,
  type Udp,
  udp,
  URG,
} from "./packets.ts";
import { withByte, withTransportChecksum, withWord, word } from "./packets.ts";
import { byFlow, received } from "./received.ts";
import { translated } from "./translate.ts";

const options = (last: number) => new Uint8Array([1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, last]);
const next = { sequence: 1100 };
const damaged = (packet: Uint8Array) => withByte(packet, packet.length - 1, packet.at(-1)! ^ 1);
const t = (fields: Tcp = {}, length = 100) => tcp(filler(length), fields);
const u = (fields: Udp = {}, length = 100) => udp(filler(length), fields);

/** A datagram without a checksum, over which a checksum of 0 would be right. */
const cancelled = () => {
  const front = filler(48);
  const sum = udp(new Uint8Array([...front, 0, 0])).subarray(26, 28);
  return withWord(udp(new Uint8Array([...front, ...sum])), 26, 0);
};

/** Two packets, and whether they become one. */
const pairs: [string, Uint8Array, Uint8Array, boolean][] = [
  ["the next segment", t(), t(next), true],
  ["a shorter segment", t(), t(next, 1), true],
  ["a longer segment", t(), t(next, 101), false],
  ["a segment without payload", t(), t(next, 0), false],
  ["a segment after one without payload", t({}, 0), t({}), false],
  ["PSH in the second", t(), t({ ...next, flags: ACK | PSH }), true],
  ["PSH in the first", t({ flags: ACK | PSH }), t(next), false],
  ["FIN in the second", t(), t({ ...next, flags: ACK | FIN }), false],
  ["FIN in the first", t({ flags: ACK | FIN }), t(next), false],
  ["SYN in the first", t({ flags: ACK | SYN }), t({ sequence: 1101 }), false],
  ["SYN in the second", t(), t({ ...next, flags: ACK | SYN }), false],
  ["RST", t(), t({ ...next, flags: ACK | RST }), false],
  ["URG", t(), t({ ...next, flags: ACK | URG, urgent: 7 }), false],
  ["URG in both", t({ flags: ACK | URG, urgent: 7 }), t({ ...next, flags: ACK | URG, urgent: 7 }), false],
  ["an urgent pointer without URG", t(), t({ ...next, urgent: 7 }), true],
  ["CWR in the first", t({ flags: ACK | CWR }), t(next), false],
  ["CWR in the second", t(), t({ ...next, flags: ACK | CWR }), false],
  ["CWR in both", t({ flags: ACK | CWR }), t({ ...next, flags: ACK | CWR }), false],
  ["ECE in both", t({ flags: ACK | ECE }), t({ ...next, flags: ACK | ECE }), true],
  ["ECE in one", t(), t({ ...next, flags: ACK | ECE }), false],
  ["no ACK", t({ flags: 0 }), t({ ...next, flags: 0 }), false],
  [
    "a reserved bit",
    withTransportChecksum(withByte(t(), 32, 0x51)),
    withTransportChecksum(withByte(t(next), 32, 0x51)),
    false,
  ],
  ["another ToS", t(), t({ ...next, tos: 0x10 }), false],
  ["an ECN mark in one", t({ tos: 2 }), t({ ...next, tos: 3 }), false],
  ["an ECN mark in both", t({ tos: 3 }), t({ ...next, tos: 3 }), true],
  ["another TTL", t(), t({ ...next, ttl: 62 }), false],
  ["DF in one", t(), t({ ...next, fragment: 0 }), false],
  [
    "no DF, whose identification has a meaning",
    t({ fragment: 0 }),
    t({ ...next, fragment: 0, id: 0x1235 }),
    false,
  ],
  ["another identification", t(), t({ ...next, id: 99 }), true],
  ["the same timestamps", t({ tcpOptions: options(1) }), t({ ...next, tcpOptions: options(1) }), true],
  ["other timestamps", t({ tcpOptions: options(1) }), t({ ...next, tcpOptions: options(2) }), false],
  ["TCP options in one", t(), t({ ...next, tcpOptions: options(1) }), false],
  [
    "40 bytes of the same TCP options",
    t({ tcpOptions: filler(40) }),
    t({ ...next, tcpOptions: filler(40) }),
    true,
  ],
  [
    "IPv4 options",
    t({ options: new Uint8Array([1, 1, 1, 0]) }),
    t({ ...next, options: new Uint8Array([1, 1, 1, 0]) }),
    false,
  ],
  ["another acknowledgement", t(), t({ ...next, acknowledgement: 78 }), false],
  ["another window", t(), t({ ...next, window: 501 }), true],
  ["a gap", t(), t({ sequence: 1101 }), false],
  ["an overlap", t(), t({ sequence: 1099 }), false],
  ["the same again", t(), t(), false],
  ["the wrong order", t(next), t(), false],
  ["a damaged first", damaged(t()), t(next), false],
  ["a damaged second", t(), damaged(t(next)), false],
  ["a TCP header that is too long", t(), withByte(t(next, 3), 32, 0xf0), false],
  [
    "a TCP header that is too short",
    withTransportChecksum(withByte(t(), 32, 0x40)),
    withTransportChecksum(withByte(t(next), 32, 0x40)),
    false,
  ],
  ["another port", t(), t({ ...next, from: 1 }), false],
  ["another port at the far end", t(), t({ ...next, to: 1 }), false],
  ["another source", t(), t({ ...next, source: [10, 244, 2, 8] }), false],
  ["another destination", t(), t({ ...next, destination: [10, 244, 1, 6] }), false],
  ["a first fragment", t({ fragment: MF }), t({ ...next, fragment: MF }), false],
  ["a later fragment", t(), t({ ...next, fragment: DF | 100 }), false],
  ["the next datagram", u(), u(), true],
  ["a shorter datagram", u(), u({}, 1), true],
  ["a longer datagram", u(), u({}, 101), false],
  ["an empty datagram", u(), u({}, 0), false],
  ["empty datagrams", u({}, 0), u({}, 0), false],
  ["datagrams without checksums", u({ unchecked: true }), u({ unchecked: true }), false],
  ["datagrams without checksums, over which 0 would be right", cancelled(), cancelled(), false],
  ["a datagram without a checksum", u(), u({ unchecked: true }), false],
  ["a datagram after one without a checksum", u({ unchecked: true }), u(), false],
  ["a damaged datagram", u(), damaged(u()), false],
  ["a datagram after a damaged one", damaged(u()), u(), false],
  [
    "a UDP length that is too short",
    withTransportChecksum(withWord(u(), 24, 50)),
    withTransportChecksum(withWord(u(), 24, 50)),
    false,
  ],
  ["a datagram of another ToS", u(), u({ tos: 4 }), false],
  ["a datagram of another TTL", u(), u({ ttl: 9 }), false],
  ["a datagram without DF", u(), u({ fragment: 0 }), false],
  ["datagrams without DF", u({ fragment: 0 }), u({ fragment: 0 }), false],
  ["a datagram of another port", u(), u({ to: 54 }), false],
  ["fragments of datagrams", u({ fragment: MF }), u({ fragment: MF }), false],
  ["TCP and UDP of the same ports", t({ to: 53 }), u(), false],
];

function test(name: string, [first, second, joined]: [Uint8Array, Uint8Array, boolean]): void {
  Deno.test(`join: ${name}: ${joined ? "one" : "two"}`, () => {
    const frames = join([first, second]);
    assert.equal(frames.length, joined ? 1 : 2);
    if (!joined) assert.deepEqual(frames.map(({ packet }) => packet), [first, second]);
    assert.deepEqual(byFlow(received(frames)), byFlow([first, second]));
  });
}

for (const [name, first, second, joined] of pairs) {
  test(name, [first, second, joined]);
  // There is no DF in IPv6: whatever is whole may be joined.
  if (name.includes("DF")) continue;
  test(`IPv6: ${name}`, [translated(first), translated(second), joined]);
}

const labelled = (packet: Uint8Array) => withWord(translated(packet), 2, 0x1234);
test("IPv6: another flow label", [translated(t()), labelled(t(next)), false]);
test("IPv6: the same flow label", [labelled(t()), labelled(t(next)), true]);

Deno.test("join: nothing comes after a shorter packet, a pushed one, or one that could not be joined", () => {
  const third = { sequence: 1200 };
  assert.deepEqual(join([t(), t(next, 50), t({ sequence: 1150 })]).map(({ count }) => count), [2, 1]);
  assert.deepEqual(join([t(), t({ ...next, flags: ACK | PSH }), t(third)]).map(({ count }) => count), [2, 1]);
  assert.deepEqual(join([t(), damaged(t(next)), t(third)]).map(({ count }) => count), [1, 1, 1]);
  assert.deepEqual(join([u(), u({}, 50), u(), u()]).map(({ count }) => count), [2, 2]);
});

Deno.test("join: a fragment, which may be of any flow, is not overtaken", () => {
  const fragment = u({ fragment: MF });
  assert.deepEqual(join([u(), fragment, u(), u()]).map(({ count }) => count), [1, 1, 2]);
  const withOptions = t({ ...next, options: new Uint8Array([1, 1, 1, 1]) });
  assert.deepEqual(join([t(), withOptions, t({ sequence: 1200 })]).map(({ count }) => count), [1, 1, 1]);
});

Deno.test("join: the newest window and the last PSH are the super-packet's", () => {
  const [frame] = join([t({ window: 7 }), t({ ...next, window: 9, flags: ACK | PSH })]);
  assert.equal(word(frame!.packet, 34), 9);
  assert.equal(frame!.packet[33], ACK | PSH);
});
