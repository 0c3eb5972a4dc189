/** What the kernel tells, sorted: what it asks for, what has to be looked at again for it, and what is nobody's business. */
import type { Clock } from "../net/clock.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { reasonOf, type Scope } from "./concerns.ts";
import { Wake } from "./wake.ts";
import { Wanted } from "./wanted.ts";

/** `clock`: nobody said anything, it was only time; always together with what is looked at then. */
export type Reason = "store" | "lease" | "kernel" | "host" | "wanted" | "stop" | "clock";

/** Whether one of them is a reason to read the kernel. */
export function looks(reasons: ReadonlySet<Reason>): boolean {
  return reasons.has("kernel") || reasons.has("host");
}

export class Inbox {
  readonly wake: Wake<Reason>;
  readonly #wanted = new Wanted();

  constructor(clock: Clock) {
    this.wake = new Wake(clock);
  }

  /** The addresses that the kernel asked for and has not given up since. */
  get wanted(): ReadonlySet<string> {
    return this.#wanted.addresses;
  }

  /** Wakes the loop for an event that concerns us. Returns why, or undefined for one that does not. */
  take(event: KernelEvent, scope: Scope): Reason | undefined {
    const reason = reasonOf(event, scope);
    if (reason === undefined) return undefined;
    const why = this.#isQuestion(event, reason) ? "wanted" : reason;
    this.wake.because(why);
    return why;
  }

  /** Asked, or given up by the kernel because nobody uses it: the event says all there is to know. */
  #isQuestion({ group, action, subject, port }: KernelEvent, reason: Reason): boolean {
    if (group !== "neighbour" || subject === undefined) return false;
    if (reason === "wanted") this.#wanted.add(subject);
    return action === "delete" && this.#wanted.forget(subject) && port === 0;
  }
}
