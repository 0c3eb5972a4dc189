/** Whether the store can be used, as the watch and the lease's keeper find it: one trouble, told once. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, isStoreTrouble } from "../../net/errors.ts";
import type { Snapshot } from "../../lease/store.ts";
import { type Found, type Judgement, storeCode, storeCodes } from "./health.ts";
import type { Kept } from "../keeping/keeper.ts";

export class StoreState {
  readonly url: string;
  readonly #clock: Clock;
  #watch: FlanError | undefined;
  #keeper: FlanError | undefined;
  /** Whether the keeper could read where it could not write. */
  #isReadable = true;
  #since: number | undefined;
  #heard: number | undefined;
  #isEmpty = false;

  constructor(url: string, clock: Clock) {
    this.url = url;
    this.#clock = clock;
  }

  /** Since when the store answers, milliseconds since 1970; undefined while it does not. */
  get since(): number | undefined {
    return this.#since;
  }

  /** When the store's last word came, milliseconds since 1970. A store in which nothing happens may say nothing for long. */
  get heard(): number | undefined {
    return this.#heard;
  }

  /** What the watch tells; without an error the store answers. Returns whether it did not before. */
  watched(error: FlanError | undefined): boolean {
    const over = this.#watch !== undefined && error === undefined;
    this.#watch = error;
    if (error === undefined) this.#heard = this.#clock.now();
    this.#settle();
    return over;
  }

  /** Whether the store held no network when it was heard last. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /**
   * A snapshot came, of whatever time: it does not prove that the store can be used. Returns what is wrong where
   * somebody emptied or replaced the store; a network that works is not taken down for that.
   */
  saw({ config }: Snapshot): FlanError | undefined {
    this.#heard = this.#clock.now();
    this.#isEmpty = config === undefined;
    if (config !== undefined) return undefined;
    const message = `The store ${this.url} holds no network any more`;
    return new FlanError(message, { op: "store.watch", code: "store" });
  }

  /**
   * What the keeper of the own lease met. A watch that goes on does not say that the store takes a write. Returns
   * whether it could not do its work before, and can now.
   */
  kept({ error, isReadable }: Pick<Kept, "error" | "isReadable">): boolean {
    const over = this.#keeper !== undefined && error === undefined;
    this.#keeper = isStoreTrouble(error) ? error : undefined;
    this.#isReadable = isReadable;
    this.#settle();
    return over;
  }

  /** Whether nothing is known to be wrong with the store, for readers and writers. */
  get isWell(): boolean {
    return this.#watch === undefined && this.#keeper === undefined;
  }

  /** The trouble of now: the watch's, or else the keeper's, because they most often have one cause. */
  get judgement(): Judgement {
    const found = this.#found();
    return { codes: storeCodes, found: found === undefined ? [] : [found] };
  }

  #found(): Found | undefined {
    const subject = this.url;
    const error = this.#watch ?? this.#keeper;
    if (error === undefined) return undefined;
    if (this.#watch !== undefined || !this.#isReadable) {
      return { code: storeCode(error), subject, message: error.message };
    }
    return { code: "store-read-only", subject, message: `The store takes no writes: ${error.message}` };
  }

  #settle(): void {
    const answers = this.#watch === undefined && (this.#keeper === undefined || this.#isReadable);
    this.#since = answers ? this.#since ?? this.#clock.now() : undefined;
  }
}
