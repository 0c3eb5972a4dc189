/** One run of the simulation, the same whenever its seed is the same. */
import { befall } from "./faults.ts";
import { outage } from "./outage.ts";
import { heal, SETTLE_MS } from "./quiet.ts";
import { backendOf, network } from "./setting.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** How many things happen. */
  readonly rounds?: number;
}

export interface Outcome {
  readonly story: readonly string[];
  readonly state: string;
  readonly error: unknown;
}

const PAUSES = [0, 20, 500, 3000, 10_000, 30_000];

// What goes wrong is told by the story; the stacks of all the errors that agents meet would cost a tenth of the time.
Error.stackTraceLimit = 0;

/** Runs a seed to its end, or until something is not as it must be. */
export async function run({ seed, rounds = 14 }: RunOptions): Promise<Outcome> {
  const count = sizeOf(seed);
  const isFull = seed % 9 === 4;
  const last = isFull ? count - 1 : 250;
  const config = { ...network, SubnetMax: `10.5.${last}.0` };
  using world = new World({ seed, config, backend: backendOf(seed) });
  world.isFull = isFull;
  for (let n = 1; n <= count; n++) world.host(n);
  let error: unknown;
  try {
    await world.start();
    await world.pass(10_000);
    for (let round = 0; round < rounds; round++) {
      befall(world);
      await world.pass(world.pick(PAUSES));
    }
    heal(world);
    await world.pass(SETTLE_MS);
    world.invariants.checkQuiet();
    await outage(world);
  } catch (thrown) {
    error = thrown;
  }
  return { story: world.story, state: world.state, error };
}

/** Most seeds have a handful of hosts, some twenty, and a few fifty. */
function sizeOf(seed: number): number {
  if (seed % 500 === 0) return 50;
  return seed % 200 === 0 ? 20 : 3 + seed % 2;
}
