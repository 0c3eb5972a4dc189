/** What came of the pings of one `ping -D`, from what it printed. */

export interface Pings {
  /** Of which each was either answered or lost; undefined where ping did not sum up, as one that was killed. */
  readonly sent: number | undefined;
  /** By its lines, each ping once, and by its sum: they must be the same. */
  readonly answered: number;
  readonly received: number | undefined;
  readonly duplicates: number;
  /** When each ping without an answer was sent: milliseconds since 1970, the oldest first. */
  readonly lost: readonly number[];
  /** When the latest ping that was answered was sent. */
  readonly lastAnswered: number | undefined;
}

/**
 * So many pings may still be under way when ping is ended: it does not wait for them. They do not count as sent; where
 * more of the last ones have no answer, all of them are lost.
 */
const UNDER_WAY = 5;

/**
 * Reads the lines of `ping -D` that began at `begun` (milliseconds since 1970) and sent a ping every `intervalMs`. Its
 * numbers have 16 bits, begin with 1 and, after 65,535, again with 0.
 */
export function readPings(
  lines: readonly string[],
  { intervalMs, begun }: { intervalMs: number; begun: number },
): Pings {
  const { answers, latest: last, duplicates } = answersIn(lines);
  const summary = lines.findLast((line) => line.includes(" packets transmitted"));
  const sums = /^(\d+) packets transmitted, (\d+) received/.exec(summary ?? "");
  const transmitted = sums === null ? undefined : Number(sums[1]);
  const isUnderWay = transmitted !== undefined && last > 0 && transmitted - last <= UNDER_WAY;
  const sent = isUnderWay ? last : transmitted;
  return {
    sent,
    answered: answers.size,
    received: sums === null ? undefined : Number(sums[2]),
    duplicates,
    lost: lostBetween(answers, { sent: sent ?? last, intervalMs, begun }),
    lastAnswered: answers.get(last),
  };
}

interface Answers {
  /** When each ping that was answered was sent, by its number without bounds. */
  readonly answers: ReadonlyMap<number, number>;
  /** The highest of these numbers, or 0. */
  readonly latest: number;
  readonly duplicates: number;
}

function answersIn(lines: readonly string[]): Answers {
  const answers = new Map<number, number>();
  let [latest, duplicates] = [0, 0];
  for (const line of lines) {
    const answer = /^\[([\d.]+)\] .* icmp_seq=(\d+) ttl=\d+ time=([\d.]+) ms/.exec(line);
    if (answer === null) continue;
    // An answer that was overtaken seems to come from the far end of the numbers.
    const ahead = (Number(answer[2]) - latest % 65_536 + 65_536) % 65_536;
    const number = latest + (ahead > 32_768 ? ahead - 65_536 : ahead);
    if (answers.has(number)) duplicates++;
    else answers.set(number, Number(answer[1]) * 1000 - Number(answer[3]));
    latest = Math.max(latest, number);
  }
  return { answers, latest, duplicates };
}

/** Pings are sent evenly, between two that were answered and otherwise at their interval. */
function lostBetween(
  answers: ReadonlyMap<number, number>,
  { sent, intervalMs, begun }: { sent: number; intervalMs: number; begun: number },
): number[] {
  const known = [...answers].sort(([a], [b]) => a - b);
  const [first, firstAt] = known[0] ?? [1, begun];
  const [last, lastAt] = known.at(-1) ?? [1, begun];
  const edges = [
    [0, firstAt - first * intervalMs] as const,
    ...known,
    [sent + 1, lastAt + (sent + 1 - last) * intervalMs] as const,
  ];
  const lost: number[] = [];
  for (let i = 1; i < edges.length; i++) {
    const [[before, from], [after, to]] = [edges[i - 1]!, edges[i]!];
    for (let number = before + 1; number < after; number++) {
      lost.push(from + (to - from) * (number - before) / (after - before));
    }
  }
  return lost;
}
