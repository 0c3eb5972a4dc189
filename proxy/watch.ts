/** Tells when a proxy starts, stops or fails to carry packets, unless this process brought it about. */
import type { KernelEvent } from "../kernel/kernel.ts";
import type { Clock } from "../net/clock.ts";
import type { Followed } from "./answers.ts";
import type { ProxyClient } from "./client.ts";

/** How long a proxy that hangs up without an answer, or answers without news, is left alone at first and at last. */
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** A generation of the proxy that runs, or that none does. */
type State = number | "none";

export interface WatchInit {
  readonly client: ProxyClient;
  readonly clock: Clock;
  /** Resolves when what this process is doing to the proxy is done. */
  readonly idle: () => Promise<unknown>;
}

export class ProxyWatch {
  readonly #init: WatchInit;
  #own: State | undefined;
  #link: string | undefined;
  #seen = Promise.withResolvers<void>();

  constructor(init: WatchInit) {
    this.#init = init;
  }

  /** The state that an own deed led to, and of which link's proxy. */
  did(state: State, link: string): void {
    this.#own = state;
    this.#link = link;
    if (state !== "none") this.saw();
  }

  /** A proxy runs. Where none ran before, it is followed from now on. */
  saw(): void {
    this.#seen.resolve();
  }

  /** Hands every change of the proxy's state to `tell` until `signal` aborts. Costs nothing while none runs. */
  async follow(tell: (event: KernelEvent) => void, signal: AbortSignal): Promise<void> {
    let last = this.#own;
    let pause = 0;
    while (!signal.aborted) {
      // Before the question: a proxy that is seen afterwards is another one.
      this.#seen = Promise.withResolvers<void>();
      const now = await this.#next(typeof last === "number" ? last : 0, signal);
      if (signal.aborted) return;
      const state = now?.generation ?? "none";
      // An answer is due when there is another state. Whoever gives it before must not be asked without a pause.
      pause = state === last && state !== "none"
        ? Math.min(Math.max(2 * pause, PAUSE_MS), LONGEST_PAUSE_MS)
        : 0;
      // Nothing was known of it, and none is there: as most hosts are.
      const isNews = state !== last && state !== this.#own && !(last === undefined && state === "none");
      last = state;
      this.#link = now?.link ?? this.#link;
      if (isNews) tell(event(now, this.#link));
      if (now === undefined) await this.#untilSeen(signal);
      else if (pause > 0) await this.#init.clock.sleep(pause, signal);
    }
  }

  /** The next state that does not lie between two deeds of our own. */
  async #next(from: number, signal: AbortSignal): Promise<Followed | undefined> {
    for (let last = from;; last = 0) {
      const own = this.#own;
      const now = await this.#ask(last, signal);
      await this.#init.idle();
      if (now === undefined || this.#own === own) return now;
    }
  }

  /** The next state; undefined where no proxy runs. */
  async #ask(from: number, signal: AbortSignal): Promise<Followed | undefined> {
    const { client, clock } = this.#init;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await client.follow(from, signal);
      } catch {
        // A proxy that dies hangs up: asked again, it is not there. Whatever else this is, every dump tells of it.
        if (attempt > 1) await clock.sleep(Math.min(PAUSE_MS * (attempt - 1), LONGEST_PAUSE_MS), signal);
      }
    }
    return undefined;
  }

  async #untilSeen(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (!signal.aborted) await Promise.race([this.#seen.promise, promise]);
  }
}

function event(now: Followed | undefined, link: string | undefined): KernelEvent {
  const action = now?.carrying ? "new" : "delete";
  return { group: "proxy", action, own: false, port: 0, ...(link === undefined ? {} : { link }) };
}
