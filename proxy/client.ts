/** Asks the proxy of a run directory that carries one family. Every method resolves to undefined where none runs. */
import { ask } from "../control/ask.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { v } from "../net/schema.ts";
import {
  type Changed,
  changed,
  type Configured,
  configured,
  type Counted,
  counted,
  type Followed,
  followed,
  type Shown,
  shown,
  type Stopped,
  stopped,
  understand,
} from "./answers.ts";
import type { Settings, Way } from "./protocol.ts";
import type { Family } from "../net/ip.ts";

/** A proxy that does not answer in this time is stopped or stuck. */
export const PATIENCE_MS = 5000;

/** Where the proxy of a family has its socket, lock and log: the run directory, or a folder of it for IPv6. */
export function proxyDir(runDir: string, family: Family): string {
  return family === 6 ? `${runDir}/ipv6` : runDir;
}

export interface RouteChange {
  /** The link of the proxy that is meant; another one's changes nothing. */
  readonly link: string;
  readonly put: readonly Way[];
  readonly remove: readonly string[];
}

/** Methods throw FlanError: `timeout` after 5 s, `not-permitted`, or `failed` with the proxy's own words. */
export class ProxyClient {
  /** Where it listens. */
  readonly socket: string;
  /** What it holds while it runs. */
  readonly lock: string;
  readonly #clock: Clock;

  constructor({ runDir, family = 4, clock }: { runDir: string; family?: Family; clock: Clock }) {
    const own = proxyDir(runDir, family);
    this.socket = `${own}/proxy.sock`;
    this.lock = `${own}/proxy.lock`;
    this.#clock = clock;
  }

  /** Waits `within` milliseconds for the answer. */
  show({ within }: { within: number } = { within: PATIENCE_MS }): Promise<Shown | undefined> {
    return this.#askAgain(shown, { op: "show" }, within);
  }

  /** Resolves also where it could not be done; the answer then says why. */
  configure(proxy: Settings): Promise<Configured | undefined> {
    return this.#ask(configured, { op: "configure", proxy: { ...proxy } });
  }

  /** Removes, then puts. */
  change(change: RouteChange): Promise<Changed | undefined> {
    return this.#ask(changed, { op: "change", ...change });
  }

  counters(): Promise<Counted | undefined> {
    return this.#askAgain(counted, { op: "counters" }, PATIENCE_MS);
  }

  /** Resolves when the generation is another one, however long that takes; rejects when `signal` aborts. */
  follow(generation: number, signal: AbortSignal): Promise<Followed | undefined> {
    return this.#ask(followed, { op: "follow", generation }, { signal, within: undefined });
  }

  /** Of a link: only where the proxy is that one's, or nobody's yet. */
  stop(
    { link, within = PATIENCE_MS }: { link?: string | undefined; within?: number } = {},
  ): Promise<Stopped | undefined> {
    return this.#ask(stopped, { op: "stop", ...(link === undefined ? {} : { link }) }, { within });
  }

  /** One that ends hangs up on who asks it. Asked again, it is not there; what is no such thing fails again. */
  async #askAgain<T extends v.GenericSchema>(
    schema: T,
    request: Json,
    within: number,
  ): Promise<v.InferOutput<T> | undefined> {
    try {
      return await this.#ask(schema, request, { within });
    } catch (error) {
      if (!(error instanceof FlanError) || error.code !== "failed") throw error;
      return await this.#ask(schema, request, { within });
    }
  }

  async #ask<T extends v.GenericSchema>(
    schema: T,
    request: Json,
    options: { signal?: AbortSignal; within: number | undefined } = { within: PATIENCE_MS },
  ): Promise<v.InferOutput<T> | undefined> {
    const answer = await ask(this.socket, {
      request,
      who: "the UDP proxy",
      clock: this.#clock,
      hint: "flan proxy stop ends it",
      ...options,
    });
    return answer === undefined ? undefined : understand(schema, answer);
  }
}
