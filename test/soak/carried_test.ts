/** Traffic that stops must be seen: in each flow by itself, and at its end as well as in the midst of it. */
import assert from "node:assert/strict";
import { carried } from "./carried.ts";
import type { FlowNews } from "./flow.ts";
import type { Told } from "./flows.ts";
import { broken } from "./verdict.ts";
import { explain } from "./windows.ts";

const BEGUN = 1_800_000_000_000;
const ENDED = BEGUN + 60_000;

const second = (i: number, change: Partial<FlowNews> = {}): FlowNews => ({
  at: BEGUN + i * 1000,
  sent: 100,
  answered: 100,
  lost: [],
  late: 0,
  duplicates: 0,
  damaged: 0,
  blocks: 10,
  wrong: 0,
  bytes: 1e8,
  broken: [],
  slowest: 5,
  ...change,
});
const told = (lines: readonly string[], change: Partial<Told> = {}): Told => ({
  name: "it",
  ends: [1, 2],
  lines,
  begun: BEGUN,
  ended: ENDED,
  code: 0,
  early: false,
  said: "",
  ...change,
});
/** A minute of a flow; `of` changes what it tells after so many seconds. */
const flow = (of: (i: number) => Partial<FlowNews> = () => ({}), change: Partial<Told> = {}) =>
  told(Array.from({ length: 60 }, (_, i) => JSON.stringify(second(i + 1, of(i + 1)))), change);

const answer = (number: number) =>
  `[${(BEGUN + number * 100 + 1) / 1000}] 64 bytes from 10.5.1.1: icmp_seq=${number} ttl=63 time=1 ms`;
const sum = (sent: number, received: number) => `${sent} packets transmitted, ${received} received, 0% loss`;
const pings = (numbers: readonly number[], { sent = 600, received = numbers.length } = {}) =>
  told([...numbers.map(answer), sum(sent, received)], { name: "pings" });
const all = Array.from({ length: 600 }, (_, i) => i + 1);

/** What is found of a soak with this traffic and no fault. */
const wrong = (traffic: Partial<Parameters<typeof carried>[0]>) => {
  const sums = carried({ servers: [], flows: [], pings: [], ...traffic });
  const losses = explain(sums.lost, []);
  return broken({
    carried: sums,
    losses,
    sent: 0,
    answered: 0,
    unexplained: [],
    growths: [],
    failures: [],
  });
};

Deno.test("nothing is wrong with flows and pings that were answered to the end", () => {
  assert.deepEqual(wrong({ flows: [flow()], pings: [pings(all)], servers: [told([])] }), []);
});

Deno.test("36,000 pings of which the first three were answered are a broken soak", () => {
  const [lost, silent, ...others] = wrong({ pings: [pings([1, 2, 3], { sent: 36_000 })] });
  assert.match(lost!, /^35997 packets were lost/);
  assert.match(silent!, /^pings: no ping was answered in its last 5 s$/);
  assert.deepEqual(others, []);
});

Deno.test("pings that stop are told, even where each that was sent was answered", () => {
  assert.deepEqual(wrong({ pings: [pings(all.slice(0, 540), { sent: 540 })] }), [
    "pings: no ping was answered in its last 5 s",
  ]);
});

Deno.test("pings whose sum is missing, or says something else than their lines, are told", () => {
  assert.deepEqual(wrong({ pings: [told(all.map(answer))] }), ["it: it did not sum up"]);
  assert.deepEqual(wrong({ pings: [pings(all, { received: 9 })] }), ["pings: it sums up 9 answers of 600"]);
});

Deno.test("a flow of which not every datagram was answered or lost is told", () => {
  const [found, ...others] = wrong({ flows: [flow((i) => i === 30 ? { sent: 117 } : {})] });
  assert.equal(found, "it: 6017 were sent, 6000 answered and 0 lost, which is not the same");
  assert.deepEqual(others, []);
});

Deno.test("a flow without answers in its last seconds is told", () => {
  const stops = flow((i) => i >= 55 ? { sent: 0, answered: 0 } : {});
  assert.deepEqual(wrong({ flows: [flow(), stops] }), ["it: no datagram was answered in its last 5 s"]);
  const ends = told(stops.lines.slice(0, 54));
  assert.deepEqual(wrong({ flows: [ends] }).length, 2);
});

Deno.test("TCP that stands still in one flow is told, whatever the other flows carry, and what comes after the end", () => {
  const stands = flow((i) => i >= 55 ? { blocks: 0 } : {}, { name: "flow 2 to 3" });
  const later = JSON.stringify(second(90, { sent: 0, answered: 0 }));
  const expected = ["flow 2 to 3: TCP carried nothing in its last 5 s"];
  assert.deepEqual(wrong({ flows: [flow(), stands] }), expected);
  assert.deepEqual(wrong({ flows: [{ ...stands, lines: [...stands.lines, later] }] }), expected);
});

Deno.test("a program that ends by itself, or badly, is told with what it said last", () => {
  const early = { early: true, code: 1, ended: BEGUN + 60_000, said: "killed" };
  const expected = ["it: it ended by itself after 60 s with code 1: killed"];
  assert.deepEqual(wrong({ flows: [flow(() => ({}), early)] }), expected);
  assert.deepEqual(wrong({ pings: [{ ...pings(all), ...early, name: "it" }] }), expected);
  assert.deepEqual(wrong({ servers: [told([], early)] }), expected);
  assert.deepEqual(wrong({ flows: [flow(() => ({}), { code: 2 })] }), ["it: it ended with code 2"]);
  assert.deepEqual(wrong({ servers: [told([], { code: 137 })] }), []);
});

Deno.test("half a line of a program that was killed is no news", () => {
  const { datagrams } = carried({ servers: [], flows: [told(['{"at":1,"se'])], pings: [] });
  assert.equal(datagrams, 0);
});

Deno.test("what flows and pings tell is summed up", () => {
  const lost = [BEGUN + 5, BEGUN + 6];
  const more = second(2, { answered: 98, lost, slowest: 9, broken: [{ at: 1, why: "reset" }] });
  const sums = carried({
    servers: [],
    flows: [told([second(1), more].map((one) => JSON.stringify(one)), { ended: BEGUN + 2000 })],
    pings: [{ ...pings([1, 4], { sent: 4 }), ends: [1, 3], ended: BEGUN + 500 }],
  });
  assert.deepEqual(sums, {
    datagrams: 200,
    pings: 4,
    lost: [
      ...lost.map((at) => ({ at, ends: [1, 2] })),
      ...[200, 300].map((ms) => ({ at: BEGUN + ms, ends: [1, 3] })),
    ],
    late: 0,
    duplicates: 0,
    damaged: 0,
    blocks: 20,
    wrong: 0,
    gigabytes: 0.2,
    broken: [{ at: 1, why: "reset" }],
    slowest: 9,
    complaints: [],
  });
});
