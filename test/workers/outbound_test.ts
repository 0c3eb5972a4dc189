/** What the workers make of what the TUN hands over, byte for byte, under sanitizers. */
import assert from "node:assert/strict";
import { ECN, NEEDS_CHECKSUM, type Offload, TCP4, UDP_L4 } from "../packets/library.ts";
import { ACK, CWR, filler, FIN, PSH, SYN, tcp, udp } from "../packets/packets.ts";
import { referenceSplit } from "../packets/reference.ts";
import { carry, features, forwarded, frame, hex, opened, peers, sent } from "./worker.ts";

const first = { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] };
const second = { source: [10, 244, 1, 5], destination: [10, 244, 3, 7] };
const toFirst = `${peers.first}:8285`;
const toSecond = `${peers.second}:8285`;

const superTcp = (size: number): Offload => ({
  flags: NEEDS_CHECKSUM,
  type: TCP4,
  headers: 40,
  size,
  start: 20,
  offset: 16,
});
const superUdp = (size: number): Offload => ({
  flags: NEEDS_CHECKSUM,
  type: UDP_L4,
  headers: 28,
  size,
  start: 20,
  offset: 6,
});
/** What goes on the wire for it. */
const split = (offload: Offload, packet: Uint8Array) => referenceSplit(offload, forwarded(packet));

Deno.test("outbound: packets of one length to one host go in one message, and the order of each host is kept", async () => {
  const packets = Array.from({ length: 12 }, (_, i) => udp(filler(500, i), i % 3 === 0 ? second : first));
  const told = await carry([...opened(), ...packets.map((packet) => frame(packet)), "out"]);
  assert.deepEqual(told.messages.map(({ to, packets }) => [to, hex(packets)]), [
    [toSecond, hex(packets.filter((_, i) => i % 3 === 0).map(forwarded))],
    [toFirst, hex(packets.filter((_, i) => i % 3 !== 0).map(forwarded))],
  ]);
  assert.equal(told.counters.out_messages, 2);
  assert.equal(told.counters.out_packets, 12);
  assert.equal(told.counters.out_reads, 12);
});

Deno.test("outbound: a shorter one ends a message, a longer one begins another, and none overtakes", async () => {
  const lengths = [500, 500, 300, 300, 300, 700, 100, 100];
  const packets = lengths.map((length, i) => udp(filler(length, i), first));
  const told = await carry([...opened(), ...packets.map((packet) => frame(packet)), "out"]);
  assert.deepEqual(told.messages.map(({ packets }) => packets.length), [3, 2, 2, 1]);
  assert.deepEqual(sent(told), hex(packets.map(forwarded)));
});

Deno.test("outbound: super-packets to many hosts in one burst become one message each, split as a sender would", async () => {
  const tcpBytes = tcp(filler(13 * 1000 + 7), { ...first, flags: ACK | PSH | FIN | CWR, id: 0xfffa });
  const udpBytes = udp(filler(9 * 1200), second);
  const told = await carry([
    ...opened(),
    frame(tcpBytes, { ...superTcp(1000), type: TCP4 | ECN }),
    frame(udpBytes, superUdp(1200)),
    "out",
  ]);
  assert.deepEqual(told.messages.map(({ to, packets }) => [to, hex(packets)]), [
    [toFirst, hex(split(superTcp(1000), tcpBytes))],
    [toSecond, hex(split(superUdp(1200), udpBytes))],
  ]);
  assert.equal(told.counters.out_packets, 14 + 9);
  assert.equal(told.counters.out_reads, 2);
});

Deno.test("outbound: a message has at most 64 segments, and a full one is exactly that", async () => {
  const packet = udp(filler(150 * 200), first);
  const told = await carry([...opened(), frame(packet, superUdp(200)), "out"]);
  assert.deepEqual(told.messages.map(({ packets }) => packets.length), [64, 64, 22]);
  assert.deepEqual(sent(told), hex(split(superUdp(200), packet)));
});

Deno.test("outbound: a message has at most 65,507 bytes, and one byte more begins another", async () => {
  const lengths = async (payloads: readonly number[]) => {
    const packets = payloads.map((length, i) => udp(filler(length, i), first));
    const told = await carry([...opened(), ...packets.map((packet) => frame(packet)), "out"]);
    assert.deepEqual(sent(told), hex(packets.map(forwarded)));
    return told.messages.map(({ packets }) => packets.map(({ length }) => length));
  };
  assert.deepEqual(await lengths([32_000, 32_000, 1423]), [[32_028, 32_028, 1451]]);
  assert.equal(32_028 + 32_028 + 1451, 65_507);
  assert.deepEqual(await lengths([32_000, 32_000, 1424]), [[32_028, 32_028], [1452]]);
});

Deno.test("outbound: headers that run out in the middle of a split are sent first, and nothing is lost or moved", async () => {
  // With 1,110 segments there are more than the 1,024 headers between two sends, which end within a message.
  const few = udp(filler(10 * 50), second);
  const many = udp(filler(1100 * 50), first);
  const told = await carry([...opened(), frame(few, superUdp(50)), frame(many, superUdp(50)), "out"]);
  assert.deepEqual(sent(told), hex([...split(superUdp(50), few), ...split(superUdp(50), many)]));
  const full = Array.from({ length: 15 }, () => 64);
  assert.deepEqual(told.messages.map(({ packets }) => packets.length), [10, ...full, 54, 64, 22]);
});

Deno.test("outbound: messages that run out are sent first, 64 at once, each to its own host", async () => {
  const hosts = Array.from({ length: 63 }, (_, i) => ({
    route: `route 10.245.${i}.0 24 192.0.3.${i + 1} 8285`,
    to: `192.0.3.${i + 1}:8285`,
    packet: udp(filler(300, i), { ...first, destination: [10, 245, i, 1] }),
  }));
  // 3 messages of their own, and one for each of the others.
  const bulk = udp(filler(150 * 200), first);
  const told = await carry([
    ...opened(),
    ...hosts.map(({ route }) => route),
    "set",
    frame(bulk, superUdp(200)),
    ...hosts.map(({ packet }) => frame(packet)),
    "out",
  ]);
  assert.deepEqual(told.events.filter((event) => event.startsWith("sendmmsg")), [
    "sendmmsg 64 of 64",
    "sendmmsg 2 of 2",
  ]);
  const [a, b, c, ...others] = told.messages;
  assert.deepEqual(hex([a!, b!, c!].flatMap(({ packets }) => packets)), hex(split(superUdp(200), bulk)));
  assert.deepEqual(
    others.map(({ to, packets }) => [to, ...hex(packets)]),
    hosts.map(({ to, packet }) => [to, forwarded(packet).toHex()]),
  );
});

Deno.test("outbound: without UDP_SEGMENT each segment is a message, and more than 64 of them are no harm", async () => {
  const packet = tcp(filler(150 * 100), first);
  const told = await carry([
    ...opened(features.all & ~features.udpSegment),
    frame(packet, superTcp(100)),
    "out",
  ]);
  assert.equal(told.counters.out_messages, 150);
  assert.deepEqual(sent(told), hex(split(superTcp(100), packet)));
});

Deno.test("outbound: a checksum that the kernel left is completed where the packet goes as it is", async () => {
  const packet = tcp(filler(200), { ...first, flags: SYN });
  const told = await carry([
    ...opened(),
    frame(packet, { flags: NEEDS_CHECKSUM, type: 0, headers: 0, size: 0, start: 20, offset: 40 }),
    "out",
  ]);
  // The field lies in the payload: what is asked for is done, and no byte beside it changes.
  const bytes = Uint8Array.fromHex(sent(told)[0]!);
  assert.deepEqual(
    bytes.filter((byte, i) => byte !== forwarded(packet)[i] && i !== 60 && i !== 61),
    new Uint8Array(0),
  );
});

Deno.test("outbound: what cannot be carried is counted by reason, and the rest of the round goes", async () => {
  const good = udp(filler(100), first);
  const none = new Uint8Array(0);
  const told = await carry([
    ...opened(),
    frame(good.with(0, 0x65)),
    frame(udp(filler(9), { ...first, destination: [224, 0, 0, 1] })),
    frame(udp(filler(9), { ...first, destination: [10, 244, 9, 1] })),
    frame(udp(filler(9), { ...first, ttl: 1 })),
    frame(good.with(3, 1)),
    frame(good, superUdp(0)),
    frame(good, superTcp(100)),
    frame(good, { ...superUdp(100), type: 3 }),
    frame(good, { ...superUdp(0), type: 0, start: 65535 }),
    frame(none),
    "frame 00",
    "frame ",
    frame(good),
    "out",
  ]);
  assert.deepEqual(sent(told), hex([forwarded(good)]));
  assert.equal(told.counters.out_reads, 10);
  assert.equal(told.counters.out_drop_not_ipv4, 1);
  assert.equal(told.counters.out_drop_multicast, 1);
  assert.equal(told.counters.out_drop_no_route, 1);
  assert.equal(told.counters.out_drop_ttl, 1);
  assert.equal(told.counters.out_drop_malformed, 5);
  const errors = told.messages.filter(({ call }) => call === "icmp");
  assert.deepEqual(errors.map(({ to, packets }) => [to, ...packets[0]!.subarray(20, 22)]), [
    ["10.244.1.5:0", 3, 0],
    ["10.244.1.5:0", 11, 0],
  ]);
});

Deno.test("outbound: a frame that the kernel cannot hand over is counted, and a signal ends nothing", async () => {
  const good = udp(filler(100), first);
  const told = await carry([
    ...opened(),
    "refuse read any EINTR times=2",
    "refuse read any EINVAL times=3",
    frame(good),
    "run",
  ]);
  assert.equal(told.counters.out_drop_malformed, 3);
  assert.deepEqual(sent(told), hex([forwarded(good)]));
  assert.equal(told.events.at(-1), "ran 0");
});

Deno.test("outbound: a device that was deleted ends the run, after what was read before is sent", async () => {
  const good = udp(filler(100), first);
  // EFAULT comes of a queue that is being closed (drivers/net/tun.c); tried again and again, none of them would end.
  for (const [error, number] of [["EBADFD", -77], ["EBADF", -9], ["EFAULT", -14], ["EIO", -5]]) {
    const told = await carry([
      ...opened(),
      `refuse read any ${error} skip=1`,
      frame(good),
      frame(good),
      "run",
    ]);
    assert.deepEqual(sent(told), hex([forwarded(good)]));
    assert.equal(told.events.at(-1), `ran ${number}`);
  }
});

Deno.test("outbound: a round ends after 64 frames, and the next one goes on", async () => {
  const packets = Array.from({ length: 100 }, (_, i) => udp(filler(10, i), first));
  const told = await carry([...opened(), ...packets.map((packet) => frame(packet)), "out", "out", "out"]);
  assert.deepEqual(told.events.filter((event) => event.startsWith("round")), [
    "round 1",
    "round 1",
    "round 0",
  ]);
  assert.deepEqual(told.messages.map(({ packets }) => packets.length), [64, 36]);
  assert.deepEqual(sent(told), hex(packets.map(forwarded)));
});

Deno.test("outbound: the largest frames that there can be fit the buffer, whatever came before", async () => {
  const small = udp(filler(10), first);
  const large = udp(filler(65_507), first);
  const script = [...Array.from({ length: 12 }, () => [frame(small), frame(large, superUdp(1400))]).flat()];
  const told = await carry([...opened(), ...script, "run"]);
  const once = [forwarded(small), ...split(superUdp(1400), large)];
  assert.deepEqual(sent(told), Array.from({ length: 12 }, () => hex(once)).flat());
});
