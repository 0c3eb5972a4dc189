/** Carries out what a plan wants of the proxy: as few requests as will do, in the order given. */
import { isMute, isRefusal } from "../control/ask.ts";
import type { Change, Failure } from "../kernel/kernel.ts";
import { describe, type Proxy, type ProxyRoute } from "../kernel/state.ts";
import { type ErrorCode, FlanError, KernelError, messageOf } from "../net/errors.ts";
import type { Configured } from "./answers.ts";
import type { ProxyClient } from "./client.ts";
import { settingsOf, wayOf } from "./objects.ts";
import type { Settings, Way } from "./protocol.ts";
import { isNotUnderstood } from "./stop.ts";

/** A request with so many routes is read and carried out in some milliseconds. */
const BATCH = 16_384;

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
        failures.push(...await this.#attempt([change], () => this.#one(change.verb, change.object as Proxy)));
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
      const broken = asKernelError(`Cannot start the UDP proxy at ${proxy.address}:${proxy.port}`, error);
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
    return await this.#attempt(batch, () => this.#routes(link, batch));
  }

  async #routes(link: string, batch: readonly Change[]): Promise<void> {
    const put: Way[] = [];
    const remove: string[] = [];
    for (const { verb, object } of batch as readonly { verb: Change["verb"]; object: ProxyRoute }[]) {
      if (verb === "delete") remove.push(object.destination);
      else put.push(wayOf(object));
    }
    const answer = await this.#init.client.change({ link, put, remove });
    if (answer !== undefined) this.#init.did(answer.generation, link);
    // A route is gone with its proxy.
    if (put.length === 0) return;
    const why = answer === undefined ? "none runs" : answer.refused;
    if (why !== undefined) {
      throw new KernelError(`Cannot give routes to the UDP proxy of ${link}: ${why} (ENOTCONN)`, "ENOTCONN", {
        op: "proxy.change",
      });
    }
  }

  /** Runs `work`; what it throws is the failure of all of these. */
  async #attempt(changes: readonly Change[], work: () => Promise<void>): Promise<readonly Failure[]> {
    try {
      await work();
      return [];
    } catch (error) {
      const { verb, object } = changes[0]!;
      const failure = asKernelError(`Cannot ${verb} ${describe(object)}`, error);
      return changes.map((change) => ({ change, error: failure }));
    }
  }
}

/** The routes from `at` on that one request takes, which removes before it puts. */
function batchFrom(changes: readonly Change[], at: number): readonly Change[] {
  const { link } = changes[at]!.object as ProxyRoute;
  const put = new Set<string>();
  let end = at;
  for (; end < changes.length && end - at < BATCH; end++) {
    const { verb, object } = changes[end]!;
    if (object.kind !== "proxy-route" || object.link !== link) break;
    if (verb !== "delete") put.add(object.destination);
    else if (put.has(object.destination)) break;
  }
  return changes.slice(at, end);
}

/** Throws what is no error of the work, but a defect. */
function asKernelError(what: string, error: unknown): KernelError {
  if (error instanceof KernelError && error.message.startsWith("Cannot ")) return error;
  if (!(error instanceof FlanError)) throw error;
  const errno = error instanceof KernelError ? error.errno : errnos[error.code] ?? "ECONNRESET";
  const { code, hint, op } = error;
  return new KernelError(`${what}: ${messageOf(error)} (${errno})`, errno, { op, code, hint });
}

/** What comes nearest to an error that is no system call's. */
const errnos: Partial<Record<ErrorCode, string>> = {
  "timeout": "ETIMEDOUT",
  "unsupported": "ELIBACC",
  "not-permitted": "EPERM",
};
