/** What several threads do at once: both directions, the one that changes routes, and the one that stops them. */
import assert from "node:assert/strict";
import { filler, tcp, udp } from "../packets/packets.ts";
import {
  type Build,
  calls,
  carry,
  datagram,
  forwarded,
  frame,
  hex,
  opened,
  peers,
  sent,
  type Told,
} from "./worker.ts";

const first = { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] };
const out = Array.from({ length: 200 }, (_, i) => udp(filler(100, i), { ...first, from: 3000 + i }));
const back = Array.from({ length: 200 }, (_, i) => udp(filler(100, i), { from: 3000 + i }));

const last = ({ events }: Told) => events.at(-1);

for (const variant of ["worker", "worker-threads"] as const satisfies readonly Build[]) {
  const under = variant === "worker" ? "address and undefined behaviour" : "thread";

  Deno.test(`threads: both directions carry at once, and end when another thread stops them (${under})`, async () => {
    const told = await carry([
      ...opened(),
      ...out.map((packet) => frame(packet)),
      ...back.map((packet) => datagram([packet])),
      "run",
    ], variant);
    assert.deepEqual(sent(told), hex(out.map(forwarded)));
    assert.deepEqual(hex(told.writes.map(({ packet }) => packet)), hex(back.map(forwarded)));
    assert.equal(last(told), "ran 0");
  });

  Deno.test(`threads: routes and settings change in a loop while both directions carry (${under})`, async () => {
    const bulk = tcp(filler(9000), first);
    const offload = { flags: 1, type: 1, headers: 40, size: 1000, start: 20, offset: 16 };
    // With long prefixes, so that tables have nodes on all three levels.
    const long = Array.from({ length: 50 }, (_, i) => `route 10.244.2.${i} 32 ${peers.first} 8285`);
    const told = await carry([
      ...opened(),
      ...long,
      "set",
      ...out.slice(0, 10).map((packet) => frame(packet)),
      frame(bulk, offload),
      datagram(back.slice(0, 10)),
      ...back.slice(0, 5).map((packet) => datagram([packet])),
      "flood 1000",
    ], variant);
    assert.equal(last(told), "ran 0");
    assert.ok(told.counters.in_packets! >= 1000 && told.counters.out_packets! >= 1000);
    // The host of the first peer goes to and fro: what comes from it is refused meanwhile.
    assert.ok(told.counters.in_drop_source! > 0);
  });

  Deno.test(`threads: a full socket keeps nothing from coming in, and stopping ends the wait (${under})`, async () => {
    const told = await carry([
      ...opened(),
      "full",
      "refuse sendmmsg any EAGAIN",
      frame(out[0]!),
      ...back.map((packet) => datagram([packet])),
      "run",
    ], variant);
    assert.deepEqual(calls(told, "poll room"), ["poll room waits"]);
    assert.equal(told.counters.in_packets, 200);
    assert.equal(told.counters.out_packets, undefined);
    assert.equal(last(told), "ran 0");
  });

  Deno.test(`threads: stopping ends the wait in the middle of a message sent singly, too (${under})`, async () => {
    const pair = [frame(out[0]!), frame(out[1]!)];
    const told = await carry(
      [...opened(), "full", "refuse sendmmsg any EIO", "refuse sendto any EAGAIN", ...pair, "run"],
      variant,
    );
    assert.equal(last(told), "ran 0");
    assert.deepEqual(told.messages, []);
  });

  Deno.test(`threads: the failure of one direction ends the other, and is what the run tells (${under})`, async () => {
    const results = {
      "read any EBADFD": -77,
      "recvmmsg any EBADF": -9,
      "poll tun EBADF": -9,
      "poll socket EBADF": -9,
    };
    for (const [failing, result] of Object.entries(results)) {
      const told = await carry([...opened(), `refuse ${failing}`, "run"], variant);
      assert.deepEqual([failing, last(told)], [failing, `ran ${result}`]);
    }
  });
}

Deno.test("threads: a poll that a signal ends, or that finds no memory, is done again", async () => {
  for (const error of ["EINTR", "ENOMEM"]) {
    const told = await carry([...opened(), `refuse poll any ${error} times=6`, frame(out[0]!), "run"]);
    assert.equal(calls(told, "refused poll").length, 6);
    assert.deepEqual([sent(told), last(told)], [hex([forwarded(out[0]!)]), "ran 0"]);
  }
});
