/**
 * The part `planes`: the bare underlay, flan's own planes and others of user space on one machine in one run. All
 * stand at once, each on a pair of hosts of its own, and are measured one after another, round by round.
 */
import { listenForSignals } from "../../../cmd/signals.ts";
import { compile } from "./packets.ts";
import { fastd } from "./fastd.ts";
import { flan } from "./flan.ts";
import { goals, type Rounds } from "./goals.ts";
import { openvpn } from "./openvpn.ts";
import { Pair } from "./pair.ts";
import { bare, type Plane, reachable } from "./plane.ts";
import { report } from "./report.ts";
import { quick, round, type Standing, thorough } from "./round.ts";
import { stopTime } from "./stop.ts";
import { Tally } from "./tally.ts";
import { wireguardGo } from "./wireguard.ts";

const ROUNDS = 3;

const planes: readonly Plane[] = [
  bare,
  flan("vxlan", { name: "vxlan", about: "flan's vxlan, MTU 1450, 10 routes", measures: "all", routes: 10 }),
  flan("udp", { name: "udp", about: "flan's udp, MTU 1472, 10 routes", measures: "all", routes: 10 }),
  flan("udp", {
    name: "udp 10,000",
    about: "flan's udp with 10,000 routes",
    measures: "rates",
    routes: 10_000,
  }),
  wireguardGo,
  openvpn,
  fastd,
];

/** What is found, for JSON. */
export interface Planes {
  readonly rounds: Rounds;
  /** Milliseconds. */
  readonly stops: readonly number[];
  /** What has no figures, and why. */
  readonly missing: Readonly<Record<string, string>>;
}

/**
 * Measures and prints. A plane that cannot be made, or fails in any round, is told of and left out. Ctrl-C ends the program, and
 * leaves nothing behind.
 */
export async function measurePlanes({ isQuick }: { isQuick: boolean }): Promise<Planes> {
  const directory = Deno.makeTempDirSync({ prefix: "flan-bench-" });
  const pairs: Pair[] = [];
  const signals = listenForSignals();
  let interrupted: number;
  try {
    const found = await Promise.race([measure({ isQuick, directory, pairs }), signals.stopped]);
    if (typeof found === "object") return found;
    interrupted = found;
  } finally {
    signals.close();
    for (const pair of pairs) await pair.remove();
    Deno.removeSync(directory, { recursive: true });
  }
  Deno.exit(interrupted);
}

async function measure(
  { isQuick, directory, pairs }: { isQuick: boolean; directory: string; pairs: Pair[] },
): Promise<Planes> {
  const tally = new Tally(progress);
  const program = await compile(directory);
  const standing = await stand(pairs, tally);
  const udp = standing.find(({ plane }) => plane.name === "udp");
  const effort = isQuick ? quick : thorough;
  for (let i = 1; i <= (isQuick ? 1 : ROUNDS); i++) {
    for (const one of standing) {
      const { name } = one.plane;
      if (tally.isWhole(name)) progress(`round ${i}: ${name}`);
      await tally.round(name, () => round(one, { effort, program }));
    }
    if (udp) await tally.stop(udp.plane.name, () => stopTime(udp, program));
  }
  const { rounds, stops, missing } = tally;
  report({ rounds, goals: goals(rounds, stops), notes: notes(standing, missing) });
  return { rounds, stops, missing };
}

async function stand(pairs: Pair[], tally: Tally): Promise<Standing[]> {
  const standing: Standing[] = [];
  for (const plane of planes) {
    progress(`making ${plane.name}`);
    await tally.make(plane.name, async () => {
      const pair = await Pair.create(`flan-b${Deno.pid}-${planes.indexOf(plane)}`);
      pairs.push(pair);
      const address = await plane.make(pair);
      await reachable(pair, address);
      standing.push({ plane, pair, address });
    });
  }
  return standing;
}

function notes(standing: readonly Standing[], missing: Readonly<Record<string, string>>): string[] {
  return [
    ...standing.map(({ plane }) => `${plane.name}: ${plane.about}`),
    ...Object.entries(missing).map(([name, why]) => `not measured: ${name}: ${why.split("\n")[0]}`),
  ];
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}
