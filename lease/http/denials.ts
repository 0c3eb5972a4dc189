/** Clients that were refused, in the log: each, but at most ten lines a minute, because anybody can send requests. */
import type { Clock } from "../../net/clock.ts";
import type { Logger } from "../../net/log.ts";
import { printable } from "../../net/text.ts";

const MINUTE = 60_000;
const MOST = 10;

export class Denials {
  readonly #clock: Clock;
  readonly #log: Logger;
  #since = -Infinity;
  #said = 0;
  #unsaid = 0;

  constructor({ clock, log }: { clock: Clock; log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Logs a refused request of `from`, or counts it where that would be too much. */
  note(from: string, why: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#since >= MINUTE) [this.#since, this.#said] = [now, 0];
    if (this.#said === MOST) {
      this.#unsaid++;
      return;
    }
    this.#said++;
    const before = this.#unsaid === 0 ? "" : `, after ${this.#unsaid} that were not logged`;
    this.#unsaid = 0;
    this.#log.log("warning", `Refused a request of ${printable(from)}: ${why}${before}`, {
      code: "store-denied",
    });
  }
}
