/** The judges of a test must see what they are there for. */
import assert from "node:assert/strict";
import { loudIn } from "./endurance.ts";
import { lostIn } from "./numbered_traffic.ts";

const answer = (number: number) =>
  `[${1_800_000_000 + number}.5] 64 bytes from 10.5.1.1: icmp_seq=${number} ttl=64 time=0.05 ms`;

Deno.test("a packet without an answer is told with its number and the time", () => {
  assert.deepEqual(lostIn(["PING 10.5.1.1", ...[1, 2, 3].map(answer)]), []);
  assert.deepEqual(lostIn([1, 2, 5].map(answer)), ["packets 3 to 4 after 2027-01-15T08:00:02.500Z"]);
  assert.deepEqual(lostIn([answer(2)]), ["packets 1 to 1 after the start"]);
  assert.deepEqual(
    lostIn([1, 3, 2, 4, 4].map(answer)),
    [],
    "one that was overtaken, and one that came twice",
  );
});

Deno.test("a cause with eleven lines in a minute is loud, whether it has a code or not", () => {
  const line = (second: number, rest: string) =>
    `2026-01-01T00:0${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}.000Z ${rest}`;
  const lines = (count: number, rest: string, every = 1) =>
    Array.from({ length: count }, (_, i) => line(i * every, rest));
  assert.deepEqual(loudIn(lines(10, "warning Cannot reach it code=store-unreachable")), []);
  assert.deepEqual(loudIn(lines(11, "warning Cannot reach it code=store-unreachable")), [
    "store-unreachable",
  ]);
  assert.deepEqual(loudIn(lines(11, "warning Cannot reach it code=store-unreachable", 7)), []);
  assert.deepEqual(loudIn(lines(11, "info Leased 10.5.1.0/24")), ["Leased #"]);
  assert.deepEqual(loudIn(lines(11, "debug Applied changes")), []);
});
