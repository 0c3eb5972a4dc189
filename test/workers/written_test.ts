/** What happens to received packets where the TUN does not take what is written to it. */
import assert from "node:assert/strict";
import { ACK, filler, PSH, tcp, udp } from "../packets/packets.ts";
import { carry, datagram, forwarded, hex, opened } from "./worker.ts";

const tcps = Array.from(
  { length: 8 },
  (_, i) =>
    tcp(filler(i === 7 ? 200 : 1000, i), { sequence: 5000 + 1000 * i, flags: i === 7 ? ACK | PSH : ACK }),
);
const udps = Array.from({ length: 8 }, (_, i) => udp(filler(i === 7 ? 200 : 1000, 50 + i)));
const alone = udp(filler(100), { from: 7, fragment: 0 });

const written = (told: Awaited<ReturnType<typeof carry>>) => hex(told.writes.map(({ packet }) => packet));

Deno.test("written: a TUN that refuses UDP super-packets gets each datagram as it came, and TCP's whole", async () => {
  const told = await carry([...opened(), "refuse writev udp EINVAL", datagram(udps), datagram(tcps), "in"]);
  assert.deepEqual(written(told).slice(0, 8), hex(udps.map(forwarded)));
  assert.deepEqual(told.writes.map(({ offload }) => offload.type), [0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(told.writes[0]!.offload, { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 });
  assert.equal(told.counters.in_packets, 16);
  assert.equal(told.counters.in_writes, 9);
  assert.equal(told.counters.in_bytes, [...udps, ...tcps].reduce((sum, { length }) => sum + length, 0));
});

Deno.test("written: a TUN that refuses TCP super-packets gets each segment, PSH being the first one's, too", async () => {
  const told = await carry([...opened(), "refuse writev tcp EINVAL", datagram(tcps), "in"]);
  // What join_undo says: the first one keeps the last one's PSH. Everything else is as it came.
  const first = tcp(filler(1000, 0), { sequence: 5000, flags: ACK | PSH });
  assert.deepEqual(written(told), hex([first, ...tcps.slice(1)].map(forwarded)));
  assert.equal(told.counters.in_packets, 8);
});

Deno.test("written: the next super-packet is tried again, since another receiver may take it", async () => {
  const told = await carry([
    ...opened(),
    "refuse writev udp EINVAL times=1",
    datagram(udps),
    "in",
    datagram(udps),
    "in",
  ]);
  assert.deepEqual(told.writes.map(({ offload }) => offload.type), [0, 0, 0, 0, 0, 0, 0, 0, 5]);
  assert.equal(told.counters.in_packets, 16);
});

for (const error of ["EIO", "EAGAIN", "ENOMEM"]) {
  Deno.test(`written: ${error} drops the frame with all its packets, and what follows goes on`, async () => {
    const told = await carry([
      ...opened(),
      `refuse writev any ${error} times=1`,
      datagram(udps),
      datagram([alone]),
      "in",
    ]);
    assert.equal(told.counters.in_drop_tun, 8);
    assert.equal(told.counters.in_packets, 1);
    assert.deepEqual(written(told), hex([forwarded(alone)]));
    assert.deepEqual(told.events.at(-1), "round 1");
  });
}

Deno.test("written: EINVAL for a single packet drops it", async () => {
  const told = await carry([
    ...opened(),
    "refuse writev any EINVAL",
    datagram([alone]),
    datagram(udps),
    "in",
  ]);
  assert.equal(told.counters.in_drop_tun, 9);
  assert.equal(told.counters.in_packets, undefined);
});

Deno.test("written: a write that a signal ended is done again", async () => {
  const told = await carry([...opened(), "refuse writev any EINTR times=3", datagram([alone]), "in"]);
  assert.deepEqual(written(told), hex([forwarded(alone)]));
  assert.equal(told.counters.in_packets, 1);
});

Deno.test("written: EBADFD, a device that was deleted, ends the run with it", async () => {
  const round = await carry([
    ...opened(),
    "refuse writev any EBADFD",
    datagram(udps),
    datagram([alone]),
    "in",
  ]);
  assert.equal(round.events.at(-1), "round -77");
  assert.equal(round.counters.in_drop_tun, undefined);
  // Also while a refused super-packet is written one by one.
  const singly = ["refuse writev udp EINVAL", "refuse writev single EBADFD skip=3", datagram(udps), "run"];
  const run = await carry([...opened(), ...singly]);
  assert.equal(run.events.at(-1), "ran -77");
  assert.deepEqual(written(run), hex(udps.slice(0, 3).map(forwarded)));
});

Deno.test("written: a round that ends early for more flows than there are frames fails as a whole with EBADFD", async () => {
  const flows = Array.from({ length: 100 }, (_, i) => udp(filler(100, i), { from: 2000 + i }));
  const told = await carry([...opened(), "refuse writev any EBADFD skip=10", datagram(flows), "in"]);
  assert.equal(told.events.at(-1), "round -77");
  assert.equal(told.counters.in_packets, 10);
});

Deno.test("written: errors of the socket concern one datagram, and EBADF or ENOTSOCK end the run", async () => {
  for (const error of ["ECONNREFUSED", "EHOSTUNREACH", "EINTR", "ENOMEM"]) {
    const told = await carry([...opened(), `refuse recvmmsg any ${error} times=2`, datagram([alone]), "run"]);
    assert.deepEqual([error, written(told), told.events.at(-1)], [error, hex([forwarded(alone)]), "ran 0"]);
  }
  for (const [error, number] of [["EBADF", -9], ["ENOTSOCK", -88]]) {
    const told = await carry([...opened(), `refuse recvmmsg any ${error}`, datagram([alone]), "run"]);
    assert.equal(told.events.at(-1), `ran ${number}`);
  }
});
