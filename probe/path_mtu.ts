/**
 * The largest packet that comes through, found by trying (RFC 4821): where something on the way drops what is too large
 * for it without a word, nobody is ever told.
 */
/** Sizes on the way down that networks are often limited to: a tunnel's, IPv6's and IPv4's smallest. */
const RUNGS = [1400, 1280, 576];
/** Sizes tried at once between one that passes and one that does not. */
const AT_ONCE = 3;

export interface PathMtu {
  /** The largest packet that passes, bytes with its headers; 0 where the path was lost meanwhile. */
  readonly mtu: number;
  /** The smallest that does not, or 0 where all do. */
  readonly tooLarge: number;
}

/**
 * Probes of the `smallest` size pass already; `passes` tries a size, with repeats. At the end what seems too large is tried again, and so
 * is what passed: neither a lossy path nor one that was lost meanwhile must be taken for a narrow one.
 */
export async function findPathMtu(
  { smallest, largest }: { smallest: number; largest: number },
  passes: (size: number) => Promise<boolean>,
): Promise<PathMtu> {
  const rungs = [largest, ...RUNGS.filter((size) => size < largest)];
  let [low, high] = between(await tried(rungs, passes), { low: smallest, high: largest });
  if (low === largest) return { mtu: largest, tooLarge: 0 };
  while (high - low > 1) {
    const step = (high - low) / (AT_ONCE + 1);
    const sizes = Array.from({ length: AT_ONCE }, (_, i) => Math.round(low + step * (i + 1)));
    const inner = [...new Set(sizes)].filter((size) => size > low && size < high);
    [low, high] = between(await tried(inner, passes), { low, high });
  }
  const [again, whole] = await tried([low, largest], passes) as [Try, Try];
  if (whole[1]) return { mtu: largest, tooLarge: 0 };
  return again[1] ? { mtu: low, tooLarge: high } : { mtu: 0, tooLarge: 0 };
}

type Try = readonly [size: number, passed: boolean];
type Tried = readonly Try[];

async function tried(
  sizes: readonly number[],
  passes: (size: number) => Promise<boolean>,
): Promise<Tried> {
  // The smaller ones first: what sends several packets as one (UDP GSO) begins with its largest, and would let a hole
  // swallow a small packet with a large one before it.
  const ascending = sizes.toSorted((a, b) => a - b);
  return await Promise.all(ascending.map(async (size) => [size, await passes(size)] as const));
}

/** The largest that passed, and the smallest above it that did not. */
function between(tried: Tried, { low, high }: { low: number; high: number }): [number, number] {
  const passed = Math.max(low, ...tried.filter(([, passed]) => passed).map(([size]) => size));
  const failed = tried.filter(([size, isPassed]) => !isPassed && size > passed).map(([size]) => size);
  return [passed, Math.min(high, ...failed)];
}
