/** An hour's soak must not begin with an argument that was meant otherwise. */
import assert from "node:assert/strict";
import { UsageError } from "../bench/usage.ts";
import { help, settingsOf } from "./settings.ts";

const read = (...args: readonly string[]) => settingsOf(args, 7);

Deno.test("a soak takes an hour and a seed by chance, unless others are given", () => {
  assert.deepEqual(read(), { minutes: 60, seed: 7, json: undefined });
  assert.deepEqual(read("--minutes", "0.5", "--seed=4294967295"), {
    minutes: 0.5,
    seed: 4_294_967_295,
    json: undefined,
  });
  assert.equal(read("--minutes", "10080")!.minutes, 10_080);
});

Deno.test("help is asked for in two ways, and names all options", () => {
  assert.deepEqual([read("--help"), read("-h", "--minutes", "x")], [undefined, undefined]);
  assert.match(help, /^Usage: deno task soak .*--minutes N .*--seed N .*--json FILE /s);
});

const range = "it must be a number above 0 and up to 10080";
const seeds = "it must be a whole number from 0 to 4294967295";
const wrong: readonly (readonly [args: readonly string[], told: string])[] = [
  ...["x", "0", "", "Infinity", "1e9", "10081", "5m"].map((one) =>
    [["--minutes", one], `Invalid --minutes '${one}': ${range}`] as const
  ),
  ...["x", "1.5", "", "4294967296", "0x10"].map((one) =>
    [["--seed", one], `Invalid --seed '${one}': ${seeds}`] as const
  ),
  [["--minuts", "3"], "Unknown option '--minuts'"],
  [["--minutes"], "Option '--minutes <value>' argument missing"],
  [["5"], "Unexpected argument '5'"],
  [["--json", "/nonexistent/x"], "Cannot write /nonexistent/x: No such file or directory"],
];

Deno.test("what is wrong with an argument is one sentence", async (t) => {
  for (const [args, told] of wrong) {
    await t.step(args.join(" "), () => {
      assert.throws(() => read(...args), (error) => error instanceof UsageError && error.message === told);
    });
  }
});
