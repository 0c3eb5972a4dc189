/** What the workers make of IPv6, byte for byte, under sanitizers: where it is not what they make of IPv4. */
import assert from "node:assert/strict";
import { NEEDS_CHECKSUM, type Offload, TCP6, UDP_L4 } from "../packets/library.ts";
import { ACK, filler, tcp, udp } from "../packets/packets.ts";
import { byFlow, received } from "../packets/received.ts";
import { referenceSplit } from "../packets/reference.ts";
import { translated } from "../packets/translate.ts";
import {
  calls,
  carry,
  counted,
  datagram,
  forwarded,
  frame,
  hex,
  inOrder,
  opened6,
  peers6,
  sent,
  type Told,
} from "./worker.ts";

const first = { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] };
const second = { source: [10, 244, 1, 5], destination: [10, 244, 3, 7] };
const one = (length: number, fields = {}) => translated(udp(filler(length), { ...first, ...fields }));
const offload = (type: number, size: number): Offload => ({
  flags: NEEDS_CHECKSUM,
  type,
  headers: type === TCP6 ? 60 : 48,
  size,
  start: 40,
  offset: type === TCP6 ? 16 : 6,
});

/** Type, code, and the MTU that is told, of every ICMPv6 message. */
const told6 = (told: Told) =>
  told.messages.filter(({ call }) => call === "icmp").map(({ packets: [message] }) => [
    ...message!.subarray(40, 42),
    new DataView(message!.buffer, message!.byteOffset).getUint32(44),
  ]);

Deno.test("IPv6 outbound: super-packets of TCP and UDP go to their hosts as one message each", async () => {
  const stream = translated(tcp(filler(13_007), { ...first, flags: ACK }));
  const datagrams = translated(udp(filler(9 * 1200), second));
  const told = await carry([
    ...opened6(),
    frame(stream, offload(TCP6, 1000)),
    frame(datagrams, offload(UDP_L4, 1200)),
    "out",
  ]);
  assert.deepEqual(told.messages.map(({ to, packets }) => [to, packets.length]), [
    [`${peers6.first}:8285`, 14],
    [`${peers6.second}:8285`, 9],
  ]);
  assert.deepEqual(
    sent(told),
    hex([
      ...referenceSplit(offload(TCP6, 1000), forwarded(stream)),
      ...referenceSplit(offload(UDP_L4, 1200), forwarded(datagrams)),
    ]),
  );
});

Deno.test("IPv6 outbound: what cannot be carried is counted under its reason, and the sender is told", async () => {
  const multicast = one(9);
  multicast.set([0xff, 2], 24);
  const linkLocal = one(9, { destination: [10, 9, 9, 9] });
  linkLocal.set([0xfe, 0x80], 8);
  const packets = [
    udp(filler(40), first),
    multicast,
    one(9).subarray(0, 50),
    one(9, { destination: [10, 9, 9, 9] }),
    one(9, { ttl: 1 }),
    linkLocal,
  ];
  const told = await carry([...opened6(), ...packets.map((packet) => frame(packet)), "out"]);
  assert.deepEqual(counted(told), {
    out_drop_malformed: 1,
    out_drop_multicast: 1,
    out_drop_no_route: 2,
    out_drop_not_ipv6: 1,
    out_drop_ttl: 1,
    icmp_sent: 2,
  });
  assert.deepEqual(told6(told), [[1, 0, 0], [3, 0, 0]]);
});

Deno.test("IPv6 inbound: segments are joined, and reach the kernel unchanged", async () => {
  const back = { source: first.destination, destination: first.source };
  const stream = referenceSplit(offload(TCP6, 1000), translated(tcp(filler(8500), back)));
  const datagrams = referenceSplit(offload(UDP_L4, 700), translated(udp(filler(3000), back)));
  const told = await carry([
    ...opened6(),
    datagram(stream, { from: peers6.first }),
    datagram(datagrams, { from: peers6.first }),
    "in",
  ]);
  const frames = told.writes.map(({ offload, packet }) => ({
    count: Math.ceil((packet.length - offload.headers) / offload.size),
    offload,
    packet,
  }));
  assert.deepEqual(frames.map(({ count }) => count), [9, 5]);
  assert.deepEqual(byFlow(received(frames)), byFlow([...stream, ...datagrams].map(forwarded)));
});

Deno.test("IPv6 inbound: only the owner of a source may send it, from its own address and port", async () => {
  const packet = translated(udp(filler(9), { source: first.destination, destination: first.source }));
  const told = await carry([
    ...opened6(),
    datagram([packet], { from: peers6.second }),
    datagram([packet], { from: peers6.first, port: 8286 }),
    datagram([packet], { from: "2001:db8:0:1::2" }),
    datagram([packet], { from: peers6.first }),
    "in",
  ]);
  assert.deepEqual([counted(told), told.counters.in_packets], [{ in_drop_source: 3 }, 1]);
  const expired = translated(
    udp(filler(9), { source: first.destination, destination: first.source, ttl: 1 }),
  );
  const ended = await carry([...opened6(), datagram([expired], { from: peers6.first }), "in"]);
  assert.deepEqual([told6(ended), counted(ended)], [[[3, 0, 0]], { in_drop_ttl: 1, icmp_sent: 1 }]);
});

/** A way with this MTU to the first host: longer datagrams are refused until the kernel may fragment them. */
const narrow = (mtu: number, times = "") => [
  `mtu ${mtu}`,
  `refuse sendmmsg any EMSGSIZE over=${mtu - 48} to=${peers6.first}`,
  `refuse sendto any EMSGSIZE over=${mtu - 48} to=${peers6.first}${times}`,
];

Deno.test("IPv6 too big: routers do not fragment, the sender is told how much fits, once a message", async () => {
  const stream = translated(tcp(filler(8000), first));
  const told = await carry([
    ...opened6(),
    ...narrow(1400),
    frame(stream, offload(TCP6, 1380)),
    frame(one(300, { from: 9 })),
    frame(one(1400, second)),
    "out",
  ]);
  assert.deepEqual(told6(told), [[2, 0, 1352]]);
  // The last segment of the stream fits.
  assert.deepEqual(counted(told), { out_drop_too_big: 5, icmp_sent: 1 });
  const last = referenceSplit(offload(TCP6, 1380), forwarded(stream)).at(-1)!;
  assert.deepEqual(
    inOrder(told),
    hex([last, forwarded(one(300, { from: 9 })), forwarded(one(1400, second))]),
  );
});

Deno.test("IPv6 too big: no way is told to be narrower than 1,280 bytes, and such packets go in outer fragments", async () => {
  const [least, more] = [one(1280 - 48), one(1280 - 47)];
  const told = await carry([...opened6(), ...narrow(1300, " times=2"), frame(more), frame(least), "out"]);
  assert.deepEqual(told6(told), [[2, 0, 1280]]);
  assert.deepEqual(counted(told), { out_drop_too_big: 1, icmp_sent: 1 });
  assert.deepEqual(inOrder(told), hex([forwarded(least)]));
  // IPV6_PMTUDISC_WANT for that one, and IPV6_PMTUDISC_DO again.
  assert.deepEqual(calls(told, "option IPV6_MTU_DISCOVER").map((line) => line.at(-1)), ["2", "1", "2"]);
});

Deno.test("IPv6: an unreachable host is told of as that", async () => {
  const told = await carry([...opened6(), "refuse sendmmsg any EHOSTUNREACH", frame(one(9)), "out"]);
  assert.deepEqual([told6(told), counted(told)], [[[1, 3, 0]], { out_drop_unreachable: 1, icmp_sent: 1 }]);
});

Deno.test("IPv6: routes and settings change under a flood of packets without a race", async () => {
  const back = { source: first.destination, destination: first.source };
  const script = [
    ...opened6(),
    frame(one(100)),
    datagram([translated(udp(filler(9), back))], { from: peers6.first }),
  ];
  const told = await carry([...script, "flood 300"], "worker-threads");
  assert.deepEqual(calls(told, "ran"), ["ran 0"]);
});
