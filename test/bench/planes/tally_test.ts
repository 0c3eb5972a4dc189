/** A plane that fails must not meet a goal by what it did before. */
import assert from "node:assert/strict";
import { goals, isMet } from "./goals.ts";
import { goalsTable, mediansTable } from "./report.ts";
import type { Round } from "./round.ts";
import { Tally } from "./tally.ts";

const trip = { p50: 50, p99: 100, lost: 0 };
const round: Round = {
  tcp1: 10,
  tcp4: 10,
  both: 10,
  reverse: 10,
  work: 0.1,
  sent: 100_000,
  flood: 100_000,
  held: 100_000,
  idle: trip,
  loaded: trip,
};
const good = () => Promise.resolve(round);
const bad = (why = "no answer\nafter all") => Promise.reject(new Error(why));

function tally() {
  const told: string[] = [];
  return { it: new Tally((text) => told.push(text)), told };
}

Deno.test("a plane that fails in its second round has no row, meets no goal, and is told with its round", async () => {
  const { it, told } = tally();
  for (const name of ["bare", "vxlan", "udp"]) await it.round(name, good);
  await it.round("udp", () => bad());
  await it.round("bare", good);
  assert.deepEqual(Object.entries(it.rounds).map(([name, of]) => [name, of.length]), [["bare", 2], [
    "vxlan",
    1,
  ]]);
  assert.deepEqual(it.missing, { udp: "in round 2: no answer\nafter all" });
  assert.deepEqual(told, ["udp fails: in round 2: no answer\nafter all"]);
  assert.doesNotMatch(mediansTable(it.rounds), /udp/);
  const found = goals(it.rounds, it.stops);
  assert.ok(found.every((goal) => isMet(goal) === undefined));
  assert.doesNotMatch(goalsTable(found), /\bmet$/m);
});

Deno.test("a plane that failed is not measured again, and one that could not be made never", async () => {
  const { it } = tally();
  await it.make("fastd", () => bad("no such program"));
  await it.round("udp", () => bad("gone"));
  let asked = 0;
  const count = () => (asked++, good());
  await it.round("fastd", count);
  await it.round("udp", count);
  assert.equal(asked, 0);
  assert.deepEqual(it.missing, { fastd: "no such program", udp: "gone" });
  assert.deepEqual([it.isWhole("udp"), it.isWhole("vxlan")], [false, true]);
});

Deno.test("a proxy that fails to end once has no time to tell, and is not asked again", async () => {
  const { it } = tally();
  const stop = (of: () => Promise<number>) => it.stop("udp", of);
  await stop(() => Promise.resolve(20));
  assert.deepEqual(it.stops, [20]);
  await stop(() => bad("it stays"));
  await stop(() => Promise.resolve(20));
  assert.deepEqual([it.stops, it.missing], [[], { "stop in a flood": "in round 2: it stays" }]);
  assert.equal(isMet(goals(it.rounds, it.stops).find(({ what }) => what.startsWith("stop"))!), undefined);
});

Deno.test("the end of a plane that failed is not measured, and what was measured of it is dropped", async () => {
  const { it } = tally();
  await it.stop("udp", () => Promise.resolve(20));
  await it.round("udp", good);
  await it.round("udp", () => bad());
  await it.stop("udp", () => Promise.resolve(20));
  assert.deepEqual(it.stops, []);
});
