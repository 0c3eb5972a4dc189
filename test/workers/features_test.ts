/** What is asked of the kernel for each feature, and what is made of a kernel that has not got it. */
import assert from "node:assert/strict";
import { carry, datagram, features, forwarded, frame, hex, peers, sent, way } from "./worker.ts";
import { filler, udp } from "../packets/packets.ts";

const { tunOffload, tunUso, udpSegment, udpGro, joinTcp, joinUdp, all } = features;

/** TUN_F_* of linux/if_tun.h. */
const CSUM = 0x01, TSO4 = 0x02, TSO6 = 0x04, ECN = 0x08, USO4 = 0x20, USO6 = 0x40;
const before62 = CSUM | TSO4 | TSO6 | ECN;

interface Opened {
  /** Those in use, or why it could not be opened. */
  readonly features: string;
  /** What the TUN was asked last, and took. */
  readonly offloads: number;
  readonly options: Readonly<Record<string, number>>;
}

async function open(mask: number, kernel: readonly string[] = []): Promise<Opened> {
  const { events } = await carry([...kernel, ...way, `open ${mask}`]);
  const options: Record<string, number> = {};
  let offloads = 0;
  for (const [what, first, second] of events.map((event) => event.split(" "))) {
    if (what === "option") options[first!] = Number(second);
    if (what === "offloads" && second === "taken") offloads = Number(first);
  }
  const result = events.findLast((event) => /^(features|failed) /.test(event))!;
  return { features: result.replace("features ", ""), offloads, options };
}

const text = (mask: number) => mask === 0 ? "0" : `0x${mask.toString(16)}`;

Deno.test("features: any subset that is asked for is used, and nothing else", async () => {
  for (let mask = 0; mask <= all; mask++) {
    const { features, offloads, options } = await open(mask);
    // UDP super-packets go with TCP's.
    const wanted = mask & tunOffload ? mask : mask & ~tunUso;
    assert.deepEqual([mask, features], [mask, text(wanted)]);
    const tcp = wanted & tunOffload ? CSUM | TSO4 | TSO6 | ECN : 0;
    const udp = wanted & tunUso ? CSUM | USO4 | USO6 : 0;
    assert.deepEqual([mask, offloads], [mask, tcp | udp]);
    assert.deepEqual([mask, options.UDP_GRO], [mask, mask & udpGro ? 1 : 0]);
    // Set for each message, not for the socket.
    assert.deepEqual([mask, options.UDP_SEGMENT], [mask, mask & udpSegment ? 0 : undefined]);
  }
});

Deno.test("features: bits that nobody knows are left out", async () => {
  assert.equal((await open(0xffffffff)).features, text(all));
});

Deno.test("features: a TUN without USO (before Linux 6.2) hands over no UDP super-packets, and gets none", async () => {
  const { features, offloads } = await open(all, [`offloads ${before62}`]);
  assert.equal(features, text(all & ~tunUso & ~joinUdp));
  assert.equal(offloads, before62);
});

Deno.test("features: a TUN without TSO6 or ECN hands over TCP's plain super-packets", async () => {
  for (const known of [CSUM | TSO4, CSUM | TSO4 | TSO6, CSUM | TSO4 | ECN]) {
    const { features, offloads } = await open(all, [`offloads ${known}`]);
    assert.equal(features, text(all & ~tunUso & ~joinUdp));
    assert.equal(offloads, CSUM | TSO4);
  }
});

Deno.test("features: a TUN without any offload hands over packets as they are", async () => {
  for (const known of [0, CSUM]) {
    const { features, offloads } = await open(all, [`offloads ${known}`]);
    assert.equal(features, text(udpSegment | udpGro | joinTcp));
    assert.equal(offloads, 0);
  }
});

Deno.test("features: offloads that an earlier proxy left are taken back, where none are wanted", async () => {
  const { events } = await carry([...way, "open 0"]);
  assert.deepEqual(events.filter((event) => event.startsWith("offloads")).at(-1), "offloads 0 taken");
});

Deno.test("features: a socket without UDP_SEGMENT or UDP_GRO sends and receives one by one", async () => {
  const segment = await open(all, ["refuse setsockopt UDP_SEGMENT ENOPROTOOPT"]);
  assert.equal(segment.features, text(all & ~udpSegment));
  const gro = await open(all, ["refuse setsockopt UDP_GRO ENOPROTOOPT"]);
  assert.equal(gro.features, text(all & ~udpGro));
  // One that knows no UDP_GRO needs not be told that it is not wanted.
  assert.equal((await open(0, ["refuse setsockopt UDP_GRO ENOPROTOOPT"])).features, "0");
});

Deno.test("features: buffers are as large as the kernel lets them be", async () => {
  const free = await open(all);
  assert.deepEqual([free.options.SO_SNDBUFFORCE, free.options.SO_RCVBUFFORCE], [1 << 20, 8 << 20]);
  assert.deepEqual([free.options.SO_SNDBUF, free.options.SO_RCVBUF], [undefined, undefined]);
  const bound = await open(all, [
    "refuse setsockopt SO_SNDBUFFORCE EPERM",
    "refuse setsockopt SO_RCVBUFFORCE EPERM",
  ]);
  assert.deepEqual([bound.options.SO_SNDBUF, bound.options.SO_RCVBUF], [1 << 20, 8 << 20]);
});

Deno.test("features: outer packets are never fragmented by the kernel, and without that nothing opens", async () => {
  assert.equal((await open(all)).options.IP_MTU_DISCOVER, 2 /* IP_PMTUDISC_DO */);
  assert.equal((await open(all, ["refuse setsockopt IP_MTU_DISCOVER EPERM"])).features, "failed EPERM");
});

Deno.test("features: what is no TUN, or waits where nobody can stop it, is not opened", async () => {
  assert.equal((await open(all, ["refuse ioctl TUNSETVNETHDRSZ ENOTTY"])).features, "failed ENOTTY");
  assert.equal((await open(all, ["blocking"])).features, "failed EINVAL");
});

Deno.test("features: with none at all, both directions carry each packet by itself", async () => {
  const out = Array.from(
    { length: 5 },
    (_, i) => udp(filler(100, i), { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] }),
  );
  const back = Array.from({ length: 5 }, (_, i) => udp(filler(100, i)));
  const told = await carry([
    ...way,
    "open 0",
    ...out.map((packet) => frame(packet)),
    ...back.map((packet) => datagram([packet])),
    "run",
  ]);
  assert.deepEqual(sent(told), hex(out.map(forwarded)));
  assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), hex(back.map(forwarded)));
  const { out_messages, out_reads, in_messages, in_writes } = told.counters;
  assert.deepEqual([out_messages, out_reads, in_messages, in_writes], [5, 5, 5, 5]);
});

Deno.test("features: with all of them, a burst is one read, one message, one receive and one write", async () => {
  const burst = Array.from({ length: 8 }, (_, i) => udp(filler(100, i)));
  const large = udp(filler(800), { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] });
  const offload = { flags: 1, type: 5, headers: 28, size: 100, start: 20, offset: 6 };
  const told = await carry([...way, "open 63", frame(large, offload), datagram(burst), "run"]);
  const { out_messages, out_reads, in_messages, in_writes, out_packets, in_packets } = told.counters;
  assert.deepEqual([out_reads, out_messages, in_messages, in_writes], [1, 1, 1, 1]);
  assert.deepEqual([out_packets, in_packets], [8, 8]);
  assert.equal(told.messages[0]!.to, `${peers.first}:8285`);
});
