/** One soak: traffic, churn, control requests and samples all along, and faults one after another. */
import { askProxy, showProxy } from "../lib/ask_proxy.ts";
import type { Hosts, Member } from "../lib/hosts.ts";
import type { Store } from "../../lease/store.ts";
import { ask, Control, unexplained } from "./control.ts";
import { Churn } from "./churn.ts";
import { faults, inflict, repairsOf, whole } from "./faults.ts";
import { LAST_MS } from "./flows.ts";
import { between, dealt, seeded } from "./random.ts";
import { growths, look, type Sample } from "./samples.ts";
import { Traffic } from "./traffic.ts";
import type { Found } from "./verdict.ts";
import { explain, type Window } from "./windows.ts";

const SAMPLE_MS = 10_000;
/** Without a fault, so that what is lost then can be told from what a fault costs. */
const [SHORTEST_QUIET_MS, LONGEST_QUIET_MS] = [3000, 12_000];

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Figures extends Found {
  readonly windows: readonly Window[];
  /** Peers that came and went, and the longest time until all proxies knew, milliseconds. */
  readonly churn: { readonly added: number; readonly removed: number; readonly slowest: number };
  readonly slowest: Control["slowest"];
  /** Control requests without an answer while their process was ended on purpose. */
  readonly explained: number;
  /** What the agents put back. */
  readonly repairs: number;
  /** Of each proxy that ran at the end. */
  readonly counters: readonly Readonly<Record<string, number>>[];
  readonly samples: readonly Sample[];
}

export class Run {
  readonly #hosts: Hosts;
  readonly #members: readonly Member[];
  readonly #store: Store;
  readonly #seed: number;
  readonly #churn: Churn;
  readonly #control = new Control();
  readonly #windows: Window[] = [];
  readonly #failures: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #begun = performance.now();
  #repairs = 0;
  #slowest = 0;

  constructor(
    { hosts, members, store, seed }: {
      hosts: Hosts;
      members: readonly Member[];
      store: Store;
      seed: number;
    },
  ) {
    this.#hosts = hosts;
    this.#members = members;
    this.#store = store;
    this.#seed = seed;
    this.#churn = new Churn(store, seeded(seed + 1));
  }

  /** Goes on for so many milliseconds, and tells what was found. */
  async last(ms: number): Promise<Figures> {
    const traffic = await Traffic.start(this.#hosts, this.#members, this.#seed);
    const stop = new AbortController();
    const beside = [
      this.#churn.run(stop.signal),
      this.#control.run(this.#hosts.lab.hosts, stop.signal),
      this.#keepLooking(stop.signal),
    ];
    // What fails beside is told at once, and not after an hour.
    await Promise.race([this.#break(this.#begun + ms), Promise.all(beside)]);
    stop.abort();
    await Promise.all(beside);
    await this.#endWell();
    // Without a fault, for each flow to tell that it goes on.
    await pause(LAST_MS + 1000);
    const carried = await traffic.end();
    const { sent, answered, slowest, silences } = this.#control;
    const silence = unexplained(silences, this.#windows);
    return {
      carried,
      losses: explain(carried.lost, this.#windows),
      sent,
      answered,
      unexplained: silence,
      explained: silences.length - silence.length,
      slowest,
      growths: growths(this.#samples),
      failures: this.#failures,
      windows: this.#windows,
      churn: { added: this.#churn.added, removed: this.#churn.removed, slowest: this.#slowest },
      repairs: this.#repairs,
      counters: await this.#counters(),
      samples: this.#samples,
    };
  }

  /** One fault after another, each kind as often as the others, with a look at the routes after each. */
  async #break(end: number): Promise<void> {
    const random = seeded(this.#seed);
    const world = { hosts: this.#hosts, members: this.#members, random };
    for (const fault of dealt(faults, random)) {
      await pause(between(random, SHORTEST_QUIET_MS, LONGEST_QUIET_MS));
      if (performance.now() >= end) return;
      const { window, repairs, failure } = await inflict(fault, world);
      const took = Math.round((window.to - window.from) / 100) / 10;
      console.error(`soak: ${this.#minute()}: ${fault} on host ${window.host}, ${took} s`);
      this.#windows.push(window);
      this.#repairs += repairs;
      if (failure !== undefined) this.#fail(failure);
      await this.#agreed();
    }
  }

  /** Insists that every proxy has exactly the routes that the store's leases ask for, once the store rests. */
  async #agreed(): Promise<void> {
    await this.#churn.still(async () => {
      const { records } = await this.#store.read();
      const subnets = records.map(({ key }) => key.replace("-", "/"));
      for (const { host, subnet } of this.#members) {
        const wanted = subnets.filter((one) => one !== subnet).sort().join();
        const has = async () =>
          ((await showProxy(host))?.routes ?? []).map(([destination]) => destination).sort().join();
        try {
          const ms = await whole(`${subnets.length - 1} routes`, async () => await has() === wanted);
          this.#slowest = Math.max(this.#slowest, ms);
        } catch (error) {
          this.#fail(`the proxy of ${host.namespace}: ${error instanceof Error ? error.message : error}`);
        }
      }
    });
  }

  /** At the end the routes agree, and no agent finds anything wrong. */
  async #endWell(): Promise<void> {
    await this.#agreed();
    for (const { host } of this.#members) {
      this.#repairs += await repairsOf(host);
      const status = await ask(`${host.runDir}/agent.sock`, { op: "status" }) as {
        problems: { code: string; message: string }[];
      };
      for (const { code, message } of status.problems) {
        this.#fail(`the agent of ${host.namespace} ends with ${code}: ${message}`);
      }
    }
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const at = (performance.now() - this.#begun) / 1000;
      for (const [i, { host, agent }] of this.#members.entries()) {
        const proxy = Number(Deno.readTextFileSync(`${host.runDir}/proxy.lock`).trim());
        const found = [
          look(`agent ${i + 1}`, { pid: agent.pid, at }),
          look(`proxy ${i + 1}`, { pid: proxy, at }),
        ];
        this.#samples.push(...found.filter((one) => one !== undefined));
      }
      await Promise.race([
        pause(SAMPLE_MS),
        new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
      ]);
    }
  }

  async #counters(): Promise<Record<string, number>[]> {
    return await Promise.all(
      this.#hosts.lab.hosts.map(async (host) =>
        (await askProxy(host, { op: "counters" }) as { counters: Record<string, number> }).counters
      ),
    );
  }

  #fail(why: string): void {
    console.error(`soak: ${this.#minute()}: ${why}`);
    this.#failures.push(`${why} (after ${this.#minute()})`);
  }

  #minute(): string {
    return `${((performance.now() - this.#begun) / 60_000).toFixed(1)} min`;
  }
}
