/** The keeper of the own lease at work, beside the agent's loop: a store that hangs holds up nothing but this. */
import type { Lease } from "../../lease/lease.ts";
import type { Claim } from "../../lease/manager.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import type { Snapshot } from "../../lease/store.ts";
import { isWholeIn } from "./own_record.ts";
import { type Former, type KeeperParts, type Kept, LeaseKeeper } from "./keeper.ts";
import { Wake } from "../wake.ts";

/** For so long the loop waits for another lease before it takes away what hangs on the one that is gone, milliseconds. */
const PATIENCE_MS = 1000;

/** When a lease is due is asked so often, milliseconds: the wall clock may be set meanwhile. */
const RECHECK_MS = 30_000;

/** What there is to keep the lease by. */
export interface Situation {
  readonly snapshot: Snapshot;
  readonly claim: Claim;
  readonly config: NetworkConfig;
}

export class Keeping {
  readonly #keeper: LeaseKeeper;
  readonly #wake: Wake<"news" | "stop">;
  readonly #parts: KeeperParts;
  #situation: Situation | undefined;
  /** Pending while the keeper has not yet answered to the situation. */
  #answer: PromiseWithResolvers<void> | undefined;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#keeper = new LeaseKeeper(parts);
    this.#wake = new Wake(parts.clock);
  }

  get own(): Lease | undefined {
    return this.#keeper.own;
  }

  /** Milliseconds until the lease is due, Infinity for a reservation. */
  get renewIn(): number {
    return this.#keeper.dueIn;
  }

  get kept(): Kept {
    return this.#keeper.kept;
  }

  /** Takes a lease, for the join; see {@link LeaseKeeper.acquire}. */
  async acquire(claim: Claim, known: { config: NetworkConfig; former?: Former | undefined }): Promise<Lease> {
    return await this.#keeper.acquire(claim, known);
  }

  /** Tells what there is now. A lease that is another's by it is given up at once, and the keeper is set to work. */
  look(situation: Situation): void {
    const before = this.#situation;
    this.#situation = situation;
    this.#keeper.judge(situation.snapshot, situation);
    const { snapshot, config, claim } = situation;
    if (
      before?.snapshot === snapshot && before.config === config &&
      JSON.stringify(before.claim) === JSON.stringify(claim)
    ) return;
    this.#answer ??= Promise.withResolvers();
    this.#wake.because("news");
  }

  /**
   * Where this host has no lease that counts in its network, waits until the keeper has done what it can, for a second
   * at most: most often there is another lease by then, and nothing need be taken away.
   */
  async settle(signal: AbortSignal): Promise<void> {
    const { own } = this.#keeper;
    const { config } = this.#situation!;
    if (this.#answer === undefined || own !== undefined && isWholeIn(config, own)) return;
    const over = new AbortController();
    const patience = this.#parts.clock.sleep(PATIENCE_MS, AbortSignal.any([signal, over.signal]));
    await Promise.race([this.#answer.promise, patience]);
    over.abort();
  }

  /** What failed is tried again at once: the store is back. */
  hasten(): void {
    this.#keeper.hasten();
    this.#wake.because("news");
  }

  /** The lease is renewed at once, due or not. */
  renewNow(): void {
    this.#keeper.renewNow();
    this.#wake.because("news");
  }

  /** See {@link LeaseKeeper.renewWithin}. */
  renewWithin(ms: number): void {
    this.#keeper.renewWithin(ms);
    this.#wake.because("news");
  }

  /** Keeps the lease until `signal` aborts, and tells each time that something was done. What is under way is left. */
  async run({ signal, done }: { signal: AbortSignal; done: () => void }): Promise<void> {
    const stopped = Promise.withResolvers<void>();
    const stop = () => {
      this.#wake.because("stop");
      stopped.resolve();
    };
    if (signal.aborted) return;
    signal.addEventListener("abort", stop, { once: true });
    while (!signal.aborted) {
      await this.#wake.wait(
        this.#situation === undefined ? Infinity : Math.min(this.#keeper.nextIn(), RECHECK_MS),
      );
      const situation = this.#situation;
      if (situation === undefined || signal.aborted) continue;
      await Promise.race([this.#keeper.keep(situation.snapshot, situation), stopped.promise]);
      if (signal.aborted) return;
      if (situation === this.#situation) {
        this.#answer?.resolve();
        this.#answer = undefined;
      }
      done();
    }
  }
}
