/** Every invariant of the soak, broken once. */
import assert from "node:assert/strict";
import { carried } from "./carried.ts";
import { type Silence, unexplained } from "./control.ts";
import { datagram, payload } from "./flow.ts";
import { between, dealt, seeded } from "./random.ts";
import { broken, type Found } from "./verdict.ts";

const well: Found = {
  carried: carried({ servers: [], flows: [], pings: [] }),
  losses: { byCause: { "proxy killed": 50 }, unexplained: {}, longest: { "proxy killed": 400 } },
  sent: 10,
  answered: 10,
  unexplained: [],
  growths: [],
  failures: [],
};
const silence: Silence = { who: "proxy 3", at: 0, until: 10, outcome: "lost", why: "it ended" };
const grown = {
  who: "proxy 1",
  pid: 7,
  seconds: 480,
  rss: 90,
  perHour: 120,
  gained: 16,
  descriptors: [9, 9] as const,
  isLeaking: true,
};

Deno.test("nothing is broken where packets were lost only to what may lose them", () => {
  assert.deepEqual(broken(well), []);
  assert.deepEqual(broken({ ...well, growths: [{ ...grown, isLeaking: false }] }), []);
});

const cases: readonly (readonly [name: string, change: Partial<Found>, told: RegExp])[] = [
  [
    "a lost packet",
    { losses: { ...well.losses, unexplained: { "agent killed": 2 } } },
    /^2 packets.*agent k/,
  ],
  ["damaged bytes", { carried: { ...well.carried, damaged: 1 } }, /^1 datagrams came back damaged/],
  ["duplicates", { carried: { ...well.carried, duplicates: 3 } }, /^3 answers/],
  ["a wrong checksum", { carried: { ...well.carried, wrong: 1 } }, /^1 TCP blocks/],
  [
    "what is wrong with a flow",
    { carried: { ...well.carried, complaints: ["pings: none"] } },
    /^pings: none$/,
  ],
  [
    "a dead connection",
    { carried: { ...well.carried, broken: [{ at: 0, why: "reset" }] } },
    /1970.*: reset$/,
  ],
  ["a lost request", { unexplained: [silence] }, /proxy 3 was lost at 1970-01-01T00:00:00.000Z: it ended/],
  ["a refused one", { unexplained: [{ ...silence, outcome: "absent" }] }, /proxy 3 was refused/],
  ["a leak", { growths: [grown] }, /^proxy 1 \(process 7\) leaks: 16\.0 MB in 480 s/],
  ["a failure", { failures: ["no routes"] }, /^no routes$/],
];

Deno.test("each invariant is told by itself when it is broken", async (t) => {
  for (const [name, change, told] of cases) {
    await t.step(name, () => {
      const found = broken({ ...well, ...change });
      assert.equal(found.length, 1, found.join("; "));
      assert.match(found[0]!, told);
    });
  }
});

Deno.test("a request without an answer is explained only by the end of the process that was asked", () => {
  const window = { cause: "proxy killed", host: 3, from: 5, to: 10, outage: 3000, silent: ["proxy 3"] };
  assert.deepEqual(unexplained([silence], [window]), []);
  assert.deepEqual(unexplained([silence], [{ ...window, silent: ["proxy 2"] }]), [silence]);
  assert.deepEqual(unexplained([silence], [{ ...window, from: 1000, to: 2000 }]), [silence]);
  const long = { ...silence, until: 1500 };
  assert.deepEqual(unexplained([long], [{ ...window, from: 1000, to: 2000 }]), []);
});

Deno.test("a seed repeats its numbers, another one has others, and all lie where they should", () => {
  const draw = (seed: number) => Array.from({ length: 100 }, seeded(seed));
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  assert.ok(draw(3).every((one) => one >= 0 && one < 1));
  const random = seeded(4);
  assert.ok(Array.from({ length: 100 }, () => between(random, 5, 7)).every((one) => one >= 5 && one < 7));
});

Deno.test("of what is dealt, each comes once before any comes again", () => {
  const cards = dealt(["a", "b", "c"], seeded(1));
  const rounds = Array.from({ length: 20 }, () => [1, 2, 3].map(() => cards.next().value).join(""));
  assert.ok(rounds.every((one) => [...one].sort().join("") === "abc"), rounds.join(" "));
  assert.ok(new Set(rounds).size > 1);
});

Deno.test("a datagram says its number and nothing that another one says, in every length up to 1400", () => {
  const lengths = new Set<number>();
  for (let number = 0; number < 2000; number++) {
    const bytes = datagram(number);
    assert.equal(new DataView(bytes.buffer).getUint32(0), number);
    lengths.add(bytes.length);
  }
  assert.deepEqual([Math.min(...lengths), Math.max(...lengths), lengths.size], [16, 1400, 1385]);
  assert.notDeepEqual(payload(1, 100), payload(2, 100));
  assert.deepEqual(payload(1, 99), payload(1, 100).subarray(0, 99));
});
