/** The seeds of the test run, shared out among the files so that several cores work. */
import assert from "node:assert/strict";
import { run } from "./run.ts";

const given = Deno.env.get("SEED");
const count = Number(Deno.env.get("SEEDS") ?? 1000);
const rounds = Deno.env.get("ROUNDS");
const LOT = 50;
/** Events that are shown where a run fails. */
const SHOWN = 20;

/** Tests the seeds `first`, `first + step`, … in lots; with `SEED=n` the first file alone runs that one. */
export function testSeeds({ first, step }: { first: number; step: number }): void {
  const seeds: number[] = [];
  if (given === undefined) { for (let seed = first; seed <= count; seed += step) seeds.push(seed); }
  else if (first === 1) seeds.push(Number(given));
  for (let at = 0; at < seeds.length; at += LOT) {
    const lot = seeds.slice(at, at + LOT);
    Deno.test(`agents on one etcd end where it says, whatever happens meanwhile (seeds ${lot[0]}…${lot.at(-1)})`, async () => {
      for (const seed of lot) await hold(seed);
    });
  }
}

async function hold(seed: number): Promise<void> {
  const { story, error } = await run({ seed, ...(rounds === undefined ? {} : { rounds: Number(rounds) }) });
  if (error === undefined) return;
  const told = story.slice(-SHOWN).join("\n");
  assert.fail(`SEED=${seed}: ${error instanceof Error ? error.message : error}\n${told}`);
}
