/** Carries out what a plan wants of the proxy: as few requests as will do, in the order given. */
import { isMute, isRefusal } from "../control/ask.ts";
import type { Change, Failure } from "../kernel/kernel.ts";
import { describe, type Proxy, type ProxyRoute } from "../kernel/state.ts";
import { FlanError, KernelError } from "../net/errors.ts";
import type { Configured } from "./answers.ts";
import type { ProxyClient } from "./client.ts";
import { asKernelError } from "./failures.ts";
import { settingsOf } from "./objects.ts";
import type { Settings } from "./protocol.ts";
import { batchFrom, changeRoutes } from "./route_changes.ts";
import { isNotUnderstood } from "./stop.ts";
import { placeOf } from "../net/place.ts";

export interface ChangesInit {
  readonly client: ProxyClient;
  /** Starts a proxy, and resolves when it can be asked. */
  readonly start: () => Promise<void>;
  /** Stops the proxy of a link, if that is what runs; without a link whatever runs. Resolves when it is gone. */
  readonly stop: (link?: string) => Promise<void>;
  /** Whether a proxy that refuses what it is told may do so because it is of another version. */
  readonly isForeign: () => boolean;
  /** Told the state that an own deed led to, a generation or "none", and of which link's proxy. */
  readonly did: (state: number | "none", link: string) => void;
}

/** One `apply` of a kernel; see there. */
export class ProxyChanges {
  readonly #init: ChangesInit;
  /** By link: why there is no proxy for its routes. */
  readonly #broken = new Map<string, KernelError>();

  constructor(init: ChangesInit) {
    this.#init = init;
  }

  /** `changes` are of proxies and their routes only. */
  async run(changes: readonly Change[]): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (let at = 0; at < changes.length;) {
      const change = changes[at]!;
      if (change.object.kind === "proxy") {
        failures.push(...await this.#attempt(change, () => this.#one(change.verb, change.object as Proxy)));
        at++;
      } else {
        const batch = batchFrom(changes, at);
        failures.push(...await this.#batch(batch));
        at += batch.length;
      }
    }
    return failures;
  }

  async #one(verb: Change["verb"], proxy: Proxy): Promise<void> {
    if (verb === "delete") {
      await this.#init.stop(proxy.link);
      this.#init.did("none", proxy.link);
      return;
    }
    try {
      await this.#configure(proxy);
      this.#broken.delete(proxy.link);
    } catch (error) {
      const broken = asKernelError(
        `Cannot start the UDP proxy at ${placeOf({ hostname: proxy.address, port: proxy.port })}`,
        error,
      );
      this.#broken.set(proxy.link, broken);
      throw broken;
    }
  }

  async #configure(proxy: Proxy): Promise<void> {
    const { client, start, stop, did } = this.#init;
    const settings = settingsOf(proxy);
    let answer = await this.#tell(settings);
    const isNew = answer === undefined;
    if (answer === undefined) {
      // Whoever holds the lock would keep the next one from starting.
      await stop();
      await start();
      answer = await client.configure(settings);
    }
    if (answer === undefined) {
      throw new FlanError("it ended at once", { op: "proxy.start", code: "failed" });
    }
    did(answer.generation, proxy.link);
    const { failure } = answer;
    if (failure === null) return;
    if (isNew) {
      await stop(proxy.link);
      did("none", proxy.link);
    }
    throw new KernelError(failure.message, failure.errno, {
      op: "proxy.configure",
      hint: failure.errno === "EADDRINUSE" ? `ss -ulpn 'sport = :${proxy.port}' shows who has it` : undefined,
    });
  }

  /** Resolves to undefined where no proxy runs, or one that is good for nothing: another one takes its place then. */
  async #tell(settings: Settings): Promise<Configured | undefined> {
    try {
      return await this.#init.client.configure(settings);
    } catch (error) {
      if (isMute(error) || isNotUnderstood(error)) return undefined;
      if (isRefusal(error) && this.#init.isForeign()) return undefined;
      throw error;
    }
  }

  async #batch(batch: readonly Change[]): Promise<readonly Failure[]> {
    const { link } = batch[0]!.object as ProxyRoute;
    const broken = this.#broken.get(link);
    // One sentence says it for all of them.
    if (broken !== undefined) return batch.map((change) => ({ change, error: broken }));
    return await changeRoutes(batch, this.#init);
  }

  /** Runs `work`; what it throws is the failure of the change. */
  async #attempt(change: Change, work: () => Promise<void>): Promise<readonly Failure[]> {
    try {
      await work();
      return [];
    } catch (error) {
      return [{ change, error: asKernelError(`Cannot ${change.verb} ${describe(change.object)}`, error) }];
    }
  }
}
