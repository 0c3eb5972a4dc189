/** One writer at a time, among processes (flock(2) on a file of its own) and inside this one. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, systemReason } from "../../net/errors.ts";

/** How long a writer waits for the others, in milliseconds. A stopped process may hold its lock for ever. */
export const LOCK_LIMIT = 10_000;

/**
 * The lock file is never deleted: a second one of the same name would be another lock. It is 0600, because
 * whoever can open a file can lock it and so keep others waiting.
 */
export class FileLock {
  readonly #path: string;
  readonly #clock: Clock;
  /** Ends when the last of the queue is done. */
  #tail: Promise<void> = Promise.resolve();
  /** The one flock call that may be blocked in the thread pool. */
  #attempt: Promise<Deno.FsFile> | undefined;
  #abandoned = false;
  /** What the attempt has got and nobody has taken yet. */
  #locked: Deno.FsFile | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Runs `work` while holding the lock. Throws `store` when the lock cannot be had within {@link LOCK_LIMIT}. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    const over = new AbortController();
    const limit = this.#clock.sleep(LOCK_LIMIT, over.signal).then(() => undefined);
    const before = this.#tail;
    const turn = Promise.withResolvers<void>();
    this.#tail = before.then(() => turn.promise);
    try {
      const ready = await Promise.race([before.then(() => true), limit]);
      const file = ready === true ? await this.#lock(limit) : undefined;
      if (file === undefined) throw this.#busy();
      over.abort();
      try {
        return await work();
      } finally {
        file.close();
      }
    } finally {
      over.abort();
      turn.resolve();
    }
  }

  /** The locked file, or undefined when `limit` ends first; the attempt then waits for the next caller. */
  async #lock(limit: Promise<undefined>): Promise<Deno.FsFile | undefined> {
    this.#abandoned = false;
    this.#attempt ??= this.#begin();
    try {
      // The lock may come in the very turn in which the limit ends.
      const file = await Promise.race([this.#attempt, limit]) ?? this.#locked;
      this.#locked = undefined;
      if (file === undefined) this.#abandoned = true;
      else this.#attempt = undefined;
      return file;
    } catch (error) {
      this.#attempt = undefined;
      throw new FlanError(`Cannot lock ${this.#path}: ${systemReason(error)}`, {
        op: "store.lock",
        code: "store",
        cause: error,
      });
    }
  }

  async #begin(): Promise<Deno.FsFile> {
    const file = await Deno.open(this.#path, { write: true, create: true, mode: 0o600 });
    try {
      await file.lock(true);
    } catch (error) {
      file.close();
      throw error;
    }
    // Nobody may be waiting any more; then the others must not wait for us.
    if (this.#abandoned) {
      this.#attempt = undefined;
      file.close();
    } else this.#locked = file;
    return file;
  }

  #busy(): FlanError {
    return new FlanError(
      `Cannot lock ${this.#path}: another process has held it for ${LOCK_LIMIT / 1000} seconds`,
      { op: "store.lock", code: "store", hint: `fuser -v ${this.#path}` },
    );
  }
}
