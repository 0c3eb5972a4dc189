/** Every ordered pair of some hosts: this host measures its own pairs and asks the others for theirs. */
import { type Answered, askHost } from "./ask.ts";
import { measure, type Measurement, type Target, type Tools } from "./measure.ts";

export interface Survey {
  /** What each host said when it was asked, by address; this host's own is not among them. */
  readonly answers: ReadonlyMap<string, Answered["state"]>;
  readonly pairs: readonly Pair[];
}

export interface Pair {
  readonly from: string;
  readonly to: string;
  /** Undefined where nobody could be asked. */
  readonly measured: Measurement | undefined;
  /** How many of the probes the other end has seen; undefined where it could not be asked, or got echoes only. */
  readonly arrived: number | undefined;
}

export interface SurveyInit extends Tools {
  readonly own: string;
  readonly targets: readonly Target[];
  /** Whether the others measure one another too, and not only this host. */
  readonly all: boolean;
  /** How many probes of a round came to this host from an address. */
  readonly heard: (address: string, round: number) => number;
}

type Rows = ReadonlyMap<string, readonly Measurement[]>;

/** Measures all pairs at the same time. What is lost on one is asked for once more when all is over. */
export async function survey(init: SurveyInit): Promise<Survey> {
  const { clock, own, targets, heard } = init;
  const round = 1 + clock.random(0xffffffff);
  const [mine, answers] = await Promise.all([
    Promise.all(targets.map((target) => measure(target, round, init))),
    askAll(targets.filter(({ isFlan }) => isFlan), { ...init, round }),
  ]);
  // The other end may have answered before the last probe came, and tells now what came in the end.
  const again = await askAll(doubtful(targets, { mine, answers }), { ...init, round });
  for (const [address, answer] of again) if (answer.state === "measured") answers.set(address, answer);
  const rows: Rows = new Map([
    [own, mine.map((one) => ({ ...one, heard: heard(one.address, round) }))],
    ...[...answers].flatMap(([address, one]) =>
      one.state === "measured" ? [[address, one.results] as const] : []
    ),
  ]);
  return {
    answers: new Map([...answers].map(([address, { state }]) => [address, state])),
    pairs: orderedPairs(init).map(([from, to]) => pairOf(rows, { from, to })),
  };
}

async function askAll(
  targets: readonly Target[],
  { own, all, round, ...tools }: SurveyInit & { round: number },
): Promise<Map<string, Answered>> {
  const question = { round, targets: all ? [] : [own] };
  return new Map(
    await Promise.all(
      targets.map(async ({ address }) => [address, await askHost(address, question, tools)] as const),
    ),
  );
}

/** Those that answered, and from which one of the others heard nothing. */
function doubtful(
  targets: readonly Target[],
  { mine, answers }: { mine: readonly Measurement[]; answers: ReadonlyMap<string, Answered> },
): Target[] {
  const results = [
    ...mine,
    ...[...answers.values()].flatMap((one) => one.state === "measured" ? one.results : []),
  ];
  const lossy = new Set(results.filter(({ sent, received }) => received < sent).map((one) => one.address));
  return targets.filter(({ address }) => lossy.has(address) && answers.get(address)?.state === "measured");
}

function orderedPairs({ own, targets, all }: SurveyInit): [from: string, to: string][] {
  const others = targets.map(({ address }) => address);
  if (!all) return others.flatMap((other) => [[own, other], [other, own]] as [string, string][]);
  const everybody = [own, ...others];
  return everybody.flatMap((from) =>
    everybody.filter((to) => to !== from).map((to): [string, string] => [from, to])
  );
}

function pairOf(rows: Rows, { from, to }: { from: string; to: string }): Pair {
  const measured = rows.get(from)?.find(({ address }) => address === to);
  const arrived = measured?.how === "udp"
    ? rows.get(to)?.find((one) => one.address === from)?.heard
    : undefined;
  return { from, to, measured, arrived };
}
