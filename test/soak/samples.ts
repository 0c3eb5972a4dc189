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

/**
 * A process that has just started still grows, so the first third of its life says nothing; and in a life of less than
 * ten minutes a leak is no larger than what a heap goes up and down by. The allowance is for a run of just ten minutes,
 * whose beginning and end take some of it.
 */
const WARM_UP_SHARE = 1 / 3;
const SHORTEST_SECONDS = 600 - 60;
/**
 * Megabytes. Each process is asked four times a second, 14,400 times an hour: a process that keeps 1 KB of each request
 * gains 14 MB an hour, and is found. In the 400 s that are left of ten minutes, that bound would be 1.1 MB, which one
 * collection may take or give back, so it must also have gained 4 MB; from 36 minutes on the bound an hour says
 * more. Neither leaves room for large buffers that wait to be collected, such as 64 KiB for each request: they lie
 * beside V8's heap, which hardly grows meanwhile, and made a process gain 28 MB in 40,000 requests.
 */
const MOST_PER_HOUR_MB = 10;
const CHANCE_MB = 4;
/** Connections come and go. */
const CHANCE_DESCRIPTORS = 4;

/** Every process that lived long enough. */
export function growths(samples: readonly Sample[]): Growth[] {
  const lives = Map.groupBy(samples, ({ pid }) => pid);
  return [...lives.values()].flatMap((life) => {
    const [born, died] = [life[0]!.at, life.at(-1)!.at];
    if (died - born < SHORTEST_SECONDS) return [];
    return [growth(life.filter(({ at }) => at >= born + WARM_UP_SHARE * (died - born)))];
  });
}

function growth(life: readonly Sample[]): Growth {
  const { who, pid } = life[0]!;
  const seconds = life.at(-1)!.at - life[0]!.at;
  const line = fit(life.map(({ at, rss }) => [at, rss]));
  const rss = median(life.map((one) => one.rss));
  const gained = line.slope * seconds;
  const third = Math.floor(life.length / 3);
  const descriptors = [life.slice(0, third), life.slice(-third)].map((part) =>
    median(part.map((one) => one.descriptors))
  ) as [number, number];
  const perHour = line.slope * 3600;
  const grows = perHour >= MOST_PER_HOUR_MB && gained >= CHANCE_MB;
  const holds = descriptors[1] - descriptors[0] > CHANCE_DESCRIPTORS;
  return {
    who,
    pid,
    seconds,
    rss,
    perHour,
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
