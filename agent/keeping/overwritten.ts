/**
 * The own lease under another's hand: a flanneld with this host's address writes it without flan's identity, at its
 * start and when it misses it, and believes it to be its own. It is taken back, because peers would send to a device
 * that is flannel's; but two that write in turn only make their peers switch to and fro, so each time it is
 * taken back later, and the problem is told until somebody stops one of the two.
 */
import type { Clock } from "../../net/clock.ts";
import type { Lease } from "../../lease/lease.ts";

const WAIT_MS = { first: 60_000, most: 3_600_000 };

export class Overwritten {
  #by: Lease | undefined;
  #wait = 0;
  /** Monotonic time until which it is left as it is, and told. */
  #until = -Infinity;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What the other wrote, as long as it is not known whether the own word holds. */
  get by(): Lease | undefined {
    return this.nextIn() > 0 ? this.#by : undefined;
  }

  /** Milliseconds until it may be taken back again, 0 for now. */
  nextIn(): number {
    return Math.max(0, this.#until - this.#clock.monotonic());
  }

  /** It was taken back from `by`: at once the first time, and then a minute, two, … an hour later. */
  takenBack(by: Lease): void {
    const now = this.#clock.monotonic();
    const longAgo = now - this.#until > WAIT_MS.most;
    this.#by = by;
    this.#wait = longAgo ? WAIT_MS.first : Math.min(this.#wait * 2, WAIT_MS.most);
    this.#until = now + this.#wait;
  }
}
