/** What is read from other programs, and what is said about it. */
import assert from "node:assert/strict";
import { type Goal, goals, isMet } from "./goals.ts";
import { busySeconds } from "./processor.ts";
import { goalsTable, mediansTable, ratiosTable } from "./report.ts";
import type { Round } from "./round.ts";
import { timesIn } from "./round_trip.ts";

const trip = (p50: number) => ({ p50, p99: 2 * p50, lost: 0 });
const round = (change: Partial<Round>): Round => ({
  tcp1: 10,
  tcp4: 10,
  both: 10,
  reverse: 10,
  work: 0.1,
  sent: 100_000,
  flood: 100_000,
  held: 100_000,
  idle: trip(50),
  loaded: trip(100),
  ...change,
});

const rounds = {
  bare: [round({}), round({ flood: 1 }), round({})],
  vxlan: [round({ tcp1: 8, flood: 3 }), round({ tcp1: 8, flood: 3 }), round({ tcp1: 0.1, flood: 3 })],
  udp: [round({ tcp1: 6, idle: trip(210) }), round({ tcp1: 6, idle: trip(211) }), round({ tcp1: 2 })],
  "udp 10,000": [{ tcp1: 6, work: 0.2, sent: 1, flood: 89_000, held: 1 }],
};

const found = (what: RegExp, of = goals(rounds, [20, 201])): Goal => of.find((one) => what.test(one.what))!;

Deno.test("a goal is the ratio of medians of two planes, met from the wanted value on", () => {
  assert.equal(found(/one stream, of vxlan/).found, 0.75);
  assert.equal(isMet(found(/one stream, of vxlan/)), true);
  assert.equal(isMet({ ...found(/one stream/), found: 0.65 }), true);
  assert.equal(isMet({ ...found(/one stream/), found: 0.6499 }), false);
  assert.equal(found(/under overload, of bare/).found, 1);
});

Deno.test("the round trip may be three times the underlay's and 60 µs more", () => {
  const goal = found(/round trip/);
  assert.deepEqual([goal.found, goal.wanted, isMet(goal)], [210, 210, true]);
  assert.equal(isMet({ ...goal, found: 211 }), false);
});

Deno.test("many routes must not cost more than rounds differ by, and the slowest stop counts", () => {
  assert.equal(isMet(found(/TCP with 10,000/)), true);
  assert.equal(isMet(found(/packets with 10,000/)), false);
  assert.deepEqual([found(/stop/).found, isMet(found(/stop/))], [201, false]);
  assert.equal(isMet(found(/stop/, goals(rounds, [20, 30]))), true);
});

Deno.test("what was not measured is neither met nor missed", () => {
  const none = goals({ bare: rounds.bare, udp: rounds.udp }, []);
  assert.deepEqual([isMet(found(/vxlan/, none)), isMet(found(/stop/, none))], [undefined, undefined]);
  assert.equal(isMet(found(/round trip/, none)), true);
  assert.ok(goals({}, []).every((goal) => isMet(goal) === undefined));
  assert.match(goalsTable(none), /one stream, of vxlan +at least 0\.65 +- +not measured/);
  assert.match(goalsTable(none), /round trip, idle, p50 +at most 210 µs +210 µs +met/);
});

Deno.test("the tables tell medians, ratios, and a dash for what was not measured", () => {
  assert.match(mediansTable(rounds), /^vxlan +8\.0 +10\.0/m);
  assert.match(mediansTable(rounds), /^udp 10,000 +6\.0 +- +- +- +0\.20 +89k +0k +-/m);
  const ratios = ratiosTable(rounds, "vxlan");
  assert.match(ratios, /^OF VXLAN/);
  assert.match(ratios, /^udp +0\.75 +1\.00/m);
  assert.doesNotMatch(ratios, /^vxlan/m);
});

Deno.test("round trips are read from ping in microseconds, whatever it says beside them", () => {
  const text = [
    "PING 192.0.2.2 (192.0.2.2) 56(84) bytes of data.",
    "64 bytes from 192.0.2.2: icmp_seq=1 ttl=64 time=0.052 ms",
    "64 bytes from 192.0.2.2: icmp_seq=2 ttl=64 time=12.1 ms",
    "2 packets transmitted, 2 received, 0% packet loss, time 5ms",
  ].join("\n");
  assert.deepEqual(timesIn(text), [52, 12_100]);
});

Deno.test("the machine is busy while it is not idle, does not wait and is not another's", () => {
  const stat = "cpu  100 20 300 9999 8888 4 50 7777 3333 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 12\n";
  assert.ok(Math.abs(busySeconds(stat) - 4.74) < 1e-9);
});
