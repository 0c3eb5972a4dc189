/** Peers that come and go in the store: leases of hosts that are not there. */
import type { Store } from "../../lease/store.ts";
import { isConflict } from "../../lease/conflict.ts";
import { between } from "./random.ts";

/** Never more of them than this. */
const MOST = 200;
/** Between two changes; now and then many come at once. */
const [SHORTEST_MS, LONGEST_MS] = [20, 400];
const BURST = 20;
const BURST_SHARE = 0.05;

export class Churn {
  added = 0;
  removed = 0;
  readonly #store: Store;
  readonly #random: () => number;
  /** Numbers of those that are there, with the revisions of their leases. */
  readonly #there = new Map<number, number>();
  #pause = Promise.resolve();
  #step = Promise.resolve();

  constructor(store: Store, random: () => number) {
    this.#store = store;
    this.#random = random;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const steps = this.#random() < BURST_SHARE ? BURST : 1;
      for (let i = 0; i < steps; i++) {
        await this.#pause;
        this.#step = this.#change();
        await this.#step;
      }
      const ms = between(this.#random, SHORTEST_MS, LONGEST_MS);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }

  /** Lets nobody come or go while `work` runs. */
  async still<T>(work: () => Promise<T>): Promise<T> {
    const held = Promise.withResolvers<void>();
    this.#pause = held.promise;
    try {
      await this.#step;
      return await work();
    } finally {
      held.resolve();
    }
  }

  async #change(): Promise<void> {
    const number = Math.floor(between(this.#random, 0, MOST));
    try {
      const revision = this.#there.get(number);
      if (revision === undefined) await this.#add(number);
      else {
        await this.#store.remove(subnet(number), revision);
        this.#there.delete(number);
        this.removed++;
      }
    } catch (error) {
      // An agent has the subnet.
      if (!isConflict(error)) throw error;
    }
  }

  async #add(number: number): Promise<void> {
    const value = { PublicIP: `198.18.0.${number + 1}`, PublicIPv6: null };
    const lease = { key: subnet(number), value, node: `soak${number}`, ttl: 86_400 };
    this.#there.set(number, (await this.#store.create(lease)).revision);
    this.added++;
  }
}

/** In the middle of the network that the first host starts; agents begin at the front. */
function subnet(number: number): string {
  return `10.244.${number + 50}.0-24`;
}
