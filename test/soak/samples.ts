/** What processes weigh, every so often, and whether one of them grows. */
import { fit, median } from "../bench/statistics.ts";

/** One look at a process. */
export interface Sample {
  /** Seconds since the soak began. */
  readonly at: number;
  /** `agent 1`, `proxy 3`. */
  readonly who: string;
  readonly pid: number;
  /** Megabytes resident. */
  readonly rss: number;
  readonly descriptors: number;
}

/** How one process went, from the end of its warm-up on. */
export interface Growth {
  readonly who: string;
  readonly pid: number;
  /** Seconds that the figures are from. */
  readonly seconds: number;
  /** Megabytes: median, and what the line through all samples gains an hour, and did in this time. */
  readonly rss: number;
  readonly perHour: number;
  readonly gained: number;
  /** Medians of the first and of the last third. */
  readonly descriptors: readonly [first: number, last: number];
  readonly isLeaking: boolean;
}

/** A process that has just started still grows; its first part says nothing, and neither does a short life. */
const WARM_UP_SECONDS = 120;
const WARM_UP_SHARE = 0.25;
const FEWEST = 12;
/**
 * Megabytes that a process gains by chance. V8 gives its young generation more room in steps, up to two semi-spaces of
 * 16 MB: 40,000 control requests leave no more heap alive than before, and 28 MB more of memory.
 */
const CHANCE_MB = 32;
/** How much of the ups and downs the line must tell to be one: a heap goes up and down. */
const DETERMINATION = 0.5;
/** A heap that nears its size grows ever more slowly; a leak goes on: so much of its pace it keeps in the second half. */
const KEPT_PACE = 2 / 3;
/** Connections come and go. */
const CHANCE_DESCRIPTORS = 4;

/** Every process that lived long enough. */
export function growths(samples: readonly Sample[]): Growth[] {
  const lives = Map.groupBy(samples, ({ pid }) => pid);
  return [...lives.values()].flatMap((life) => {
    const born = life[0]!.at;
    const warmUp = Math.max(WARM_UP_SECONDS, WARM_UP_SHARE * (life.at(-1)!.at - born));
    const grown = life.filter(({ at }) => at >= born + warmUp);
    return grown.length < FEWEST ? [] : [growth(grown)];
  });
}

function growth(life: readonly Sample[]): Growth {
  const { who, pid } = life[0]!;
  const seconds = life.at(-1)!.at - life[0]!.at;
  const lineOf = (part: readonly Sample[]) => fit(part.map(({ at, rss }) => [at, rss]));
  const line = lineOf(life);
  const later = lineOf(life.slice(life.length >> 1));
  const rss = median(life.map((one) => one.rss));
  const gained = line.slope * seconds;
  const third = Math.floor(life.length / 3);
  const descriptors = [life.slice(0, third), life.slice(-third)].map((part) =>
    median(part.map((one) => one.descriptors))
  ) as [number, number];
  const grows = gained > CHANCE_MB && line.determination >= DETERMINATION &&
    later.slope > KEPT_PACE * line.slope;
  const holds = descriptors[1] - descriptors[0] > CHANCE_DESCRIPTORS;
  return {
    who,
    pid,
    seconds,
    rss,
    perHour: line.slope * 3600,
    gained,
    descriptors,
    isLeaking: grows || holds,
  };
}

/** Looks at a process in /proc; undefined where it has ended. */
export function look(who: string, { pid, at }: { pid: number; at: number }): Sample | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
    // A zombie has no memory.
    if (kilobytes === undefined) return undefined;
    const descriptors = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
    return { at, who, pid, rss: Number(kilobytes) / 1024, descriptors };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
