/**
 * A server's time, by the `Date` of its answers (RFC 9110, 6.6.1). Where leases end by it, hosts whose clocks differ
 * agree on which have, and none takes another's for ended because its own clock is wrong.
 */
import type { Clock } from "../../net/clock.ts";
import type { StoreFinding } from "../store.ts";

/** `Date` has whole seconds, and clocks that are kept right differ by less: milliseconds that are no difference. */
const TOLERANCE = 2000;

/** Of the three forms of a date that there are, the one that a server must send (RFC 9110, 5.6.7). */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

export class ServerTime {
  readonly #clock: Clock;
  #ahead = 0;

  /** `clock` is this host's. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * How far the server's clock is ahead of this host's, in whole seconds as milliseconds; 0 where it is two or
   * three seconds at most, or the server does not tell. It changes only when it is wrong by more than that.
   */
  get ahead(): number {
    return this.#ahead;
  }

  /** To be called when a request is sent, and what it returns with the answer's `Date` when that is there. */
  asked(): (date: string | null) => void {
    const asked = this.#clock.monotonic();
    return (date) => {
      const then = date !== null && IMF_FIXDATE.test(date) ? Date.parse(date) : NaN;
      if (Number.isNaN(then)) return;
      // It was written at some time between the question and now, and says the second that had begun.
      const now = this.#clock.now();
      const least = then - now;
      const most = least + 1000 + this.#clock.monotonic() - asked;
      const fits = (ahead: number) => ahead >= least - TOLERANCE && ahead <= most + TOLERANCE;
      if (fits(this.#ahead)) return;
      // A server that is asked to wait writes the date of its answer when it answers.
      this.#ahead = fits(0) ? 0 : Math.round((least + 500) / 1000) * 1000;
    };
  }
}

/** `ahead` is what {@link ServerTime.ahead} says, for which two or three seconds are no difference, of `whose` clock. */
export function skewed(ahead: number, whose: string): StoreFinding[] {
  if (ahead === 0) return [];
  const which = ahead > 0 ? "behind" : "ahead of";
  const message = `This host's clock is ${Math.abs(ahead) / 1000} s ${which} that of ${whose}`;
  return [{ code: "clock-skew", severity: "warning", message, hint: "timedatectl" }];
}
