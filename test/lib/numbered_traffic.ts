/** Packets between containers of several hosts, each with a number, so that every lost one can be told. */
import assert from "node:assert/strict";
import type { HostProcess } from "./host_process.ts";
import type { Hosts, Member } from "./hosts.ts";
import { PATIENCE_MS } from "./until.ts";

/** Twenty a second from each: enough to see a gap of a tenth of a second, and little work. */
const EVERY_MS = 50;
/** By so many packets one may be overtaken: by those of a second. */
const OVERTAKING = 1000 / EVERY_MS;

export class NumberedTraffic {
  readonly #flows: readonly HostProcess[];

  private constructor(flows: readonly HostProcess[]) {
    this.#flows = flows;
  }

  /** Each member sends to the next one and is answered; resolves when all of it flows. */
  static async start(hosts: Hosts, members: readonly Member[]): Promise<NumberedTraffic> {
    const flows = members.map(({ host, container }, i) => {
      const to = members[(i + 1) % members.length]!.container;
      return hosts.start(host, ["ping", "-n", "-D", "-i", `${EVERY_MS / 1000}`, "-I", container, to]);
    });
    await Promise.all(flows.map((flow) => flow.out.line(/icmp_seq=3 /)));
    return new NumberedTraffic(flows);
  }

  /** Resolves when so much time has passed in packets of the first flow. */
  async lasts(ms: number): Promise<void> {
    const { out } = this.#flows[0]!;
    const last = Number(/icmp_seq=(\d+) /.exec(out.matching(/icmp_seq=/).at(-1)!)![1]);
    const wanted = last + Math.ceil(ms / EVERY_MS);
    // One of them may be lost, which is for others to find.
    const reached = Array.from({ length: 100 }, (_, i) => wanted + i).join("|");
    await out.line(new RegExp(`icmp_seq=(${reached}) `), out.lines.length, {
      patience: PATIENCE_MS + 2 * ms,
    });
  }

  /** How long no packet of a flow was answered at most, up to the last answer, milliseconds. */
  get longestSilence(): number {
    return Math.max(...this.#flows.map(({ out }) => longestSilence(out.lines, { every: EVERY_MS })));
  }

  /** Insists that every packet sent so far was answered, and lets the flows go on. */
  async noneLost(): Promise<void> {
    await Promise.all(this.#flows.map(async ({ out }) => {
      // Those that are under way now.
      await out.line(/icmp_seq=/, out.lines.length);
      // One may be overtaken by the next, and then comes soon.
      for (let more = 0; more < OVERTAKING && lostIn(out.lines).length > 0; more++) {
        await out.line(/icmp_seq=/, out.lines.length);
      }
      assert.deepEqual(lostIn(out.lines), [], out.lines[0]);
    }));
  }
}

/** Each gap in the numbers of a `ping -D`, in whatever order they came, with the time of the answer before it. */
export function lostIn(lines: readonly string[]): string[] {
  const answers = lines.flatMap((line) => {
    const [, time, number] = /^\[([\d.]+)\] .* icmp_seq=(\d+) ttl=/.exec(line) ?? [];
    return number === undefined ? [] : [{ number: Number(number), time: Number(time) * 1000 }];
  }).sort((a, b) => a.number - b.number);
  return answers.flatMap(({ number }, i) => {
    const before = answers[i - 1];
    const first = (before?.number ?? 0) + 1;
    const time = before === undefined ? "the start" : new Date(before.time).toISOString();
    return number > first ? [`packets ${first} to ${number - 1} after ${time}`] : [];
  });
}

/** The longest time between two requests of a `ping` that were answered, by their numbers; `every` is its interval. */
export function longestSilence(lines: readonly string[], { every }: { every: number }): number {
  const answered = lines.flatMap((line) => {
    const seq = /icmp_seq=(\d+) ttl=/.exec(line)?.[1];
    return seq === undefined ? [] : [Number(seq)];
  }).sort((a, b) => a - b);
  const gaps = answered.slice(1).map((seq, i) => seq - answered[i]! - 1);
  return Math.max(0, ...gaps) * every;
}
