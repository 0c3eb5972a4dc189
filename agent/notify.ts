/**
 * What the service manager is told: sd_notify(3) and sd_watchdog_enabled(3). READY=1 when the network works, a line
 * about the host when it changes, and a sign of life from the loop itself.
 */
import type { Clock } from "../net/clock.ts";
import { messageOf } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { Watcher } from "./pulse.ts";

export interface NotifierParts {
  /** Sends one message; throws where that fails. */
  readonly send: (message: string) => void;
  /** Milliseconds within which the manager wants a sign of life, Infinity where it wants none. */
  readonly watchdog: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Notifier implements Watcher {
  readonly #parts: NotifierParts;
  /** What is not told yet: a receiver may be busy, and then gets it with the next turn. */
  readonly #untold = new Set<string>();
  #status: (() => string) | undefined;
  #said = "";
  #beatAt = -Infinity;
  #isFailing = false;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
  }

  /** Half of what the manager allows; see {@link turned}. */
  get every(): number {
    return this.#parts.watchdog / 2;
  }

  /** The host is about to join. */
  joining(): void {
    this.#send(["STATUS=Joining"]);
  }

  /** The network works and subnet.env says so. From now on `status` is told whenever it changes. */
  ready(status: () => string): void {
    this.#status = status;
    this.#untold.add("READY=1");
    this.turned();
  }

  /**
   * The loop turns, at least once in each {@link every}. A turn that comes early beats only when half of that time has
   * passed, so two beats are never further apart than three quarters of what is allowed.
   */
  turned(): void {
    if (this.#status === undefined) return;
    const { clock } = this.#parts;
    const lines = [...this.#untold];
    const status = this.#status();
    if (status !== this.#said) lines.push(`STATUS=${status}`);
    const now = clock.monotonic();
    const isDue = this.every < Infinity && now - this.#beatAt >= this.every / 2;
    if (isDue) lines.push("WATCHDOG=1");
    if (!this.#send(lines)) return;
    this.#untold.clear();
    this.#said = status;
    if (isDue) this.#beatAt = now;
  }

  /** The agent ends; the network stays. */
  stopping(): void {
    this.#status = undefined;
    this.#send(["STOPPING=1", "STATUS=Stopping; the network stays as it is"]);
  }

  /** Returns whether it was sent; a failure is logged when it begins. */
  #send(lines: readonly string[]): boolean {
    if (lines.length === 0) return true;
    const { send, log } = this.#parts;
    try {
      send(lines.join("\n"));
      this.#isFailing = false;
      return true;
    } catch (error) {
      if (!this.#isFailing) log.log("warning", `Cannot tell the service manager: ${messageOf(error)}`);
      this.#isFailing = true;
      return false;
    }
  }
}

/**
 * Milliseconds within which the manager wants a sign of life, by its variables WATCHDOG_USEC (microseconds) and
 * WATCHDOG_PID (for whom they are meant); Infinity where it wants none from this process. Throws TypeError for what is
 * no such number.
 */
export function watchdogTime(
  { usec, pid }: { usec: string | undefined; pid: string | undefined },
  self: number,
): number {
  if (usec === undefined || (pid !== undefined && pid !== String(self))) return Infinity;
  if (!/^[1-9]\d{0,15}$/.test(usec)) {
    throw new TypeError(`a number of microseconds is needed, not ${JSON.stringify(usec.slice(0, 40))}`);
  }
  return Number(usec) / 1000;
}
