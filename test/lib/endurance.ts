/** What must hold while a store is in trouble: packets flow, the kernel is left alone, logs and work stay small. */
import assert from "node:assert/strict";
import { processorTime } from "./etcd_hosts.ts";
import type { Hosts, Member } from "./hosts.ts";
import { KernelMonitor } from "./kernel_monitor.ts";
import { NumberedTraffic } from "./numbered_traffic.ts";

/** Lines for one cause that a log may have in a minute. */
const MOST_LINES = 10;
/** Share of a core that an agent may use while its store is away. */
const MOST_WORK = 0.05;

/** One moment, as {@link Endurance.work} compares two. */
interface Moment {
  readonly time: number;
  readonly used: readonly number[];
}

export class Endurance {
  readonly traffic: NumberedTraffic;
  readonly #members: readonly Member[];
  readonly #monitors: readonly KernelMonitor[];

  private constructor(
    members: readonly Member[],
    { traffic, monitors }: { traffic: NumberedTraffic; monitors: readonly KernelMonitor[] },
  ) {
    this.#members = members;
    this.traffic = traffic;
    this.#monitors = monitors;
  }

  /** Traffic in a ring of all members, and an ear at every kernel, from now on. */
  static async start(hosts: Hosts, members: readonly Member[]): Promise<Endurance> {
    const monitors = await Promise.all(members.map(({ host }) => KernelMonitor.start(hosts, host)));
    return new Endurance(members, { traffic: await NumberedTraffic.start(hosts, members), monitors });
  }

  /** Runs `body` and insists that no packet was lost meanwhile, and that no kernel was changed by flan. */
  async unnoticed(body: () => Promise<void>): Promise<void> {
    await Promise.all(this.#monitors.map((monitor) => monitor.heard()));
    await body();
    await this.traffic.noneLost();
    const heard = await Promise.all(this.#monitors.map((monitor) => monitor.heard()));
    assert.deepEqual(heard.flat().filter((line) => /flan\.1|proto 113/.test(line)), []);
    for (const { agent } of this.#members) assert.deepEqual(loudIn(agent.err.lines), []);
  }

  /** Runs `body` and insists that no agent worked much meanwhile. */
  async idle(body: () => Promise<void>): Promise<void> {
    const before = this.#moment();
    await body();
    const after = this.#moment();
    const shares = after.used.map((used, i) => (used - before.used[i]!) / (after.time - before.time));
    assert.ok(shares.every((share) => share < MOST_WORK), `shares of a core: ${shares.join(" ")}`);
  }

  #moment(): Moment {
    return {
      time: performance.now() / 1000,
      used: this.#members.map(({ agent }) => processorTime(agent.pid)),
    };
  }
}

/** Causes that have more lines in some minute of a log than they may. */
export function loudIn(lines: readonly string[]): string[] {
  const times = new Map<string, number[]>();
  const loud = new Set<string>();
  for (const line of lines) {
    const [, time, level, message] = /^(\S+Z) (\w+) (.*)$/.exec(line) ?? [];
    if (time === undefined || level === "debug") continue;
    // Lines without a code are told apart by their words.
    const cause = / code=(\S+)/.exec(message!)?.[1] ?? message!.replace(/[\d.:/]+/g, "#");
    const at = Date.parse(time);
    const last = [...times.get(cause) ?? [], at].filter((other) => other > at - 60_000);
    times.set(cause, last);
    if (last.length > MOST_LINES) loud.add(cause);
  }
  return [...loud];
}
