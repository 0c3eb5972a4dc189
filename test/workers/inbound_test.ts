/** What the workers make of datagrams, byte for byte, under sanitizers. */
import assert from "node:assert/strict";
import { packetFixtures } from "../packets/fixtures.ts";
import { ACK, filler, PSH, tcp, udp } from "../packets/packets.ts";
import { byFlow, received } from "../packets/received.ts";
import { ttlAt } from "../packets/headers.ts";
import {
  carry,
  datagram,
  features,
  forwarded,
  frame,
  hex,
  opened,
  peers,
  peers6,
  way6,
  type Written,
} from "./worker.ts";

/** What the receiving kernel sees of the frames. */
function seen(writes: readonly Written[]): Uint8Array[] {
  return received(writes.map(({ offload, packet }) => ({
    count: offload.type === 0 ? 1 : Math.ceil((packet.length - offload.headers) / offload.size),
    offload,
    packet,
  })));
}

/** The host of the fixtures: no other subnet than its own and one is leased. */
const lone = {
  4: ["settings 10.244.1.0 10.244.1.0 24 1", `route 10.244.2.0 24 ${peers.first} 8285`, "open 63"],
  6: [...way6.slice(0, 3), "open 63"],
} as const;

for (const family of [4, 6] as const) {
  const all = packetFixtures(family);
  const from = { from: family === 4 ? peers.first : peers6.first };
  const folder = `the packet fixtures of IPv${family}`;

  Deno.test(`inbound: each of ${folder} is counted as it says, and only those taken are written`, async () => {
    for (const { name, counter, bytes } of all) {
      const told = await carry([
        ...lone[family],
        datagram([bytes], from),
        "in",
      ]);
      const isTaken = counter === "in_packets";
      const { [counter]: value, in_messages, ...others } = told.counters;
      assert.deepEqual([name, value, in_messages], [name, 1, 1]);
      const reasons = Object.keys(others).filter((other) => other.startsWith("in_drop"));
      assert.deepEqual([name, reasons], [name, []]);
      assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), isTaken ? hex([forwarded(bytes)]) : []);
      assert.equal(told.counters.in_bytes, isTaken ? bytes.length : undefined);
    }
  });

  Deno.test(`inbound: all of ${folder} in one go give the sums of each alone`, async () => {
    const told = await carry([
      ...lone[family],
      ...all.map(({ bytes }) => datagram([bytes], from)),
      "run",
    ]);
    const sums: Record<string, number> = {};
    for (const { counter } of all) sums[counter] = (sums[counter] ?? 0) + 1;
    for (const [counter, sum] of Object.entries(sums)) assert.equal(told.counters[counter], sum, counter);
    const taken = all.filter(({ counter }) => counter === "in_packets");
    // One whose TTL has become 1 goes to this host, and no further.
    const further = (packet: Uint8Array) => packet[ttlAt(packet)]! > 1;
    assert.deepEqual(
      byFlow(seen(told.writes.filter(({ packet }) => further(packet)))),
      byFlow(taken.map(({ bytes }) => forwarded(bytes)).filter(further)),
    );
  });
}

const burst = Array.from({ length: 5 }, (_, i) => udp(filler(i === 4 ? 300 : 1000, i), { from: 1000 + i }));

Deno.test("inbound: a message of several datagrams is cut where UDP_GRO says, the last one shorter", async () => {
  const told = await carry([...opened(), datagram(burst), "in"]);
  assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), hex(burst.map(forwarded)));
  assert.equal(told.counters.in_messages, 1);
  assert.equal(told.counters.in_packets, 5);
});

Deno.test("inbound: without a size, or with one of 0, below 0 or beyond the message, it is one datagram", async () => {
  for (const control of ["none", "other", 0, -1, -2147483648, 65536, 2147483647] as const) {
    const told = await carry([
      ...opened(),
      datagram([burst[0]!], { control }),
      datagram(burst, { control }),
      "in",
    ]);
    assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), hex([forwarded(burst[0]!)]), `${control}`);
    assert.equal(told.counters.in_drop_length, 1, `${control}`);
  }
});

Deno.test("inbound: a size that is not the packets' own drops what it cuts, and no more", async () => {
  const told = await carry([...opened(), datagram(burst, { control: 1 }), datagram([burst[1]!]), "in"]);
  const bytes = burst.reduce((sum, { length }) => sum + length, 0);
  assert.equal(told.counters.in_drop_short, bytes);
  assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), hex([forwarded(burst[1]!)]));
});

Deno.test("inbound: an empty datagram is one that is too short", async () => {
  const told = await carry([...opened(), datagram([new Uint8Array(0)]), datagram([burst[1]!]), "in"]);
  assert.equal(told.counters.in_drop_short, 1);
  assert.equal(told.counters.in_packets, 1);
});

Deno.test("inbound: more packets of different flows than there are frames are all written, in order", async () => {
  const flows = Array.from({ length: 200 }, (_, i) => udp(filler(100, i), { from: 2000 + i }));
  const halves = [flows.slice(0, 100), flows.slice(100)];
  const told = await carry([...opened(), ...halves.map((half) => datagram(half)), "in"]);
  assert.deepEqual(told.events.filter((event) => event.startsWith("round")), ["round 1"]);
  assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), hex(flows.map(forwarded)));
  assert.equal(told.counters.in_writes, 200);
});

Deno.test("inbound: a burst of one TCP flow and one of UDP become a frame each, and nobody loses a byte", async () => {
  const tcps = Array.from(
    { length: 20 },
    (_, i) => tcp(filler(1000, i), { sequence: 5000 + 1000 * i, flags: i === 19 ? ACK | PSH : ACK }),
  );
  const udps = Array.from({ length: 20 }, (_, i) => udp(filler(1000, 50 + i)));
  const told = await carry([...opened(), datagram(tcps), datagram(udps), "in"]);
  assert.deepEqual(told.writes.map(({ offload }) => offload.type), [1, 5]);
  assert.deepEqual(byFlow(seen(told.writes)), byFlow([...tcps, ...udps].map(forwarded)));
  // Counted as they were on the wire.
  assert.equal(told.counters.in_packets, 40);
  assert.equal(told.counters.in_bytes, 20 * 1040 + 20 * 1028);
  assert.equal(told.counters.in_writes, 2);
});

Deno.test("inbound: without join-tcp, or join-udp, its packets are written one by one, and the other's are not", async () => {
  const tcps = Array.from({ length: 4 }, (_, i) => tcp(filler(100, i), { sequence: 100 * i }));
  const udps = Array.from({ length: 4 }, (_, i) => udp(filler(100, i)));
  const types = async (mask: number) => {
    const told = await carry([...opened(mask), datagram(tcps), datagram(udps), "in"]);
    return told.writes.map(({ offload }) => offload.type);
  };
  assert.deepEqual(await types(features.all), [1, 5]);
  assert.deepEqual(await types(features.all & ~features.joinTcp), [0, 0, 0, 0, 5]);
  assert.deepEqual(await types(features.all & ~features.joinUdp), [1, 0, 0, 0, 0]);
  assert.deepEqual(await types(0), [0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("inbound: a sender is known by address and port; where sources are not checked, by neither", async () => {
  const script = [
    datagram([burst[0]!], { port: 8286 }),
    datagram([burst[1]!], { from: peers.second }),
    datagram([burst[2]!]),
    "in",
  ];
  const checked = await carry([...opened(), ...script]);
  assert.equal(checked.counters.in_drop_source, 2);
  assert.deepEqual(hex(checked.writes.map(({ packet }) => packet)), hex([forwarded(burst[2]!)]));
  const unchecked = await carry([...opened(), "settings 10.244.1.0 10.244.1.0 24 0", "set", ...script]);
  assert.equal(unchecked.counters.in_packets, 3);
});

Deno.test("inbound: an expired packet is told to its source, but not to whom a stranger names", async () => {
  const expired = udp(filler(64), { ttl: 1 });
  const known = await carry([...opened(), datagram([expired]), "in"]);
  assert.deepEqual(known.messages.map(({ call, to }) => `${call} ${to}`), ["icmp 10.244.2.7:0"]);
  assert.deepEqual([...known.messages[0]!.packets[0]!.subarray(20, 22)], [11, 0]);
  const open = [
    "settings 10.244.1.0 10.244.1.0 24 0",
    "set",
    datagram([expired], { from: "192.0.2.9" }),
    "in",
  ];
  const stranger = await carry([...opened(), ...open]);
  assert.deepEqual([stranger.messages, stranger.counters.in_drop_ttl], [[], 1]);
});

Deno.test("inbound: until it is configured, nothing comes in, and until it has routes, nothing goes out", async () => {
  const out = udp(filler(9), { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] });
  const told = await carry(["open 63", datagram([burst[0]!]), frame(out), "in", "out"]);
  assert.equal(told.counters.in_drop_source, 1);
  assert.equal(told.counters.out_drop_no_route, 1);
  assert.deepEqual(told.writes, []);
});
