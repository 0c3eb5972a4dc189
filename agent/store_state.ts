/** Whether the store can be used, as the watch and the lease's keeper find it: one trouble, told once. */
import type { Clock } from "../net/clock.ts";
import { type FlanError, isStoreTrouble } from "../net/errors.ts";
import { type Judgement, storeCode, storeCodes } from "./health.ts";

export class StoreState {
  readonly url: string;
  readonly #clock: Clock;
  #watch: FlanError | undefined;
  #keeper: FlanError | undefined;
  #since: number | undefined;
  #heard: number | undefined;

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
    if (error === undefined) this.told();
    this.#settle();
    return over;
  }

  /** The store said something, of whatever time. */
  told(): void {
    this.#heard = this.#clock.now();
  }

  /** What the keeper of the own lease met. A watch that goes on does not say that the store takes a write. */
  kept(error: unknown): void {
    this.#keeper = isStoreTrouble(error) ? error : undefined;
    this.#settle();
  }

  /** The trouble of now: the watch's, or else the keeper's, because they most often have one cause. */
  get judgement(): Judgement {
    const error = this.#watch ?? this.#keeper;
    const found = error === undefined
      ? []
      : [{ code: storeCode(error), subject: this.url, message: error.message }];
    return { codes: storeCodes, found };
  }

  #settle(): void {
    const well = this.#watch === undefined && this.#keeper === undefined;
    this.#since = well ? this.#since ?? this.#clock.now() : undefined;
  }
}
