/** What figures of several rounds say: middles, quantiles, ratios, the highest rate that holds, and a line through points. */

/** The value that as many are below as above; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * The value below which the share `share` (0 to 1) of the values lies, interpolated between the two next to it.
 * NaN where there are none.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (high - low) * (place - below);
}

/** Median over median: what is told of two planes, since both had the same moments of the machine. */
export function ratio(values: readonly number[], reference: readonly number[]): number {
  return median(values) / median(reference);
}

/**
 * The highest rate between `low` and `high` that `holds`, found by halving the ratio of the two `steps` times; `low`
 * itself is not tried. A rate that does not hold is tried a second time, since one hiccup of the machine is enough.
 */
export async function highestRate(
  holds: (rate: number) => Promise<boolean>,
  { low, high, steps }: { low: number; high: number; steps: number },
): Promise<number> {
  let [held, failed] = [low, high];
  for (let i = 0; i < steps; i++) {
    const rate = Math.sqrt(held * failed);
    if (await holds(rate) || await holds(rate)) held = rate;
    else failed = rate;
  }
  return held;
}

export interface Line {
  /** Of y for each unit of x. */
  readonly slope: number;
  /** y where x is 0. */
  readonly intercept: number;
  /** Share of what y varies by that the line tells, 0 to 1 (coefficient of determination); 0 where y is constant. */
  readonly determination: number;
}

/** The line with the least squares through the points. Its slope is NaN where all points have one x. */
export function fit(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (values: readonly number[]) => values.reduce((all, one) => all + one, 0) / values.length;
  const [x, y] = [mean(points.map(([one]) => one)), mean(points.map(([, one]) => one))];
  const sum = (of: (dx: number, dy: number) => number) =>
    points.reduce((all, [one, other]) => all + of(one - x, other - y), 0);
  const [xx, xy, yy] = [sum((dx) => dx * dx), sum((dx, dy) => dx * dy), sum((_, dy) => dy * dy)];
  const slope = xy / xx;
  return { slope, intercept: y - slope * x, determination: yy === 0 ? 0 : xy * xy / (xx * yy) };
}
