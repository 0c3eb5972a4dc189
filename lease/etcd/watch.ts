/**
 * The watch on everything a store holds in etcd. A stream lives for some seconds only and its successor begins
 * where it ended, so that a connection that has gone dead is noticed: this is flan's keep-alive.
 */
import type { Clock } from "../../net/clock.ts";
import { FlanError, isStoreTrouble } from "../../net/errors.ts";
import { quoted } from "../../net/text.ts";
import type { JsonObject } from "../go_json.ts";
import { asStoreTrouble } from "../remote/trouble.ts";
import { Bell } from "../bell.ts";
import type { Snapshot } from "../store.ts";
import { type Contents, sameContents } from "./contents.ts";
import { badReply, headerOf, integer } from "./fields.ts";
import type { Gateway } from "./gateway.ts";
import { explained } from "./refusal.ts";
import type { Keys } from "./keys.ts";

/** How long a stream lives, in milliseconds: so many, and at random up to as many more. */
const LIFETIME = { least: 15_000, spread: 5_000 };
/** A stream that has lived for so long was no failure, however it ended. */
const LONG = 10_000;
/** Milliseconds between attempts: the first, doubled each time, and the longest. */
const PAUSE = { first: 500, most: 30_000 };
/** After so many streams that ended at once a new one is not taken for a recovery before it has lived a while. */
const FLAPS = 2;

/**
 * After how long everything is listed again, in milliseconds: so many, and at random up to as many more. A restored
 * backup that has gone on to the same revision in the same term is found by nothing else.
 */
const RESYNC = { least: 60 * 60 * 1000, spread: 10 * 60 * 1000 };

export interface Watched {
  readonly gateway: Gateway;
  readonly keys: Keys;
  readonly clock: Clock;
  /** Contents to begin with, which the watch may change; undefined where they must be listed. */
  readonly contents: Contents | undefined;
  /** Everything there is now, sharing with `previous` what is the same. Throws what the gateway throws. */
  list(previous: Contents | undefined, signal: AbortSignal): Promise<Contents>;
  /** Waits before another attempt, for so many milliseconds at most. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Tells of trouble, once for each cause in turn, and of its end. */
  readonly troubled: (error: FlanError | undefined) => void;
}

/** Yields the snapshots that differ from the last, first from what the caller knows at `from`. */
export async function* watchEtcd(
  watched: Watched,
  { from, signal }: { from: number; signal: AbortSignal },
): AsyncGenerator<Snapshot> {
  const bell = new Bell();
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const follower = new Follower(watched, { bell, signal: ended });
  const following = follower.run().catch((error) => bell.fail(error));
  let last: Snapshot | undefined;
  try {
    while (!signal.aborted) {
      const snapshot = follower.contents?.snapshot();
      const isNew = snapshot !== undefined &&
        (last === undefined ? snapshot.revision !== from : !sameContents(snapshot, last));
      last = snapshot ?? last;
      if (isNew) yield snapshot;
      else await bell.wait(ended);
      // Whatever else has arrived already makes no snapshot of its own.
      if (!signal.aborted) await watched.clock.turn();
    }
  } finally {
    over.abort();
    await following;
  }
}

/** Keeps contents up to date until its signal aborts, and rings for each change. */
class Follower {
  contents: Contents | undefined;
  readonly #watched: Watched;
  readonly #bell: Bell;
  readonly #signal: AbortSignal;
  /** Attempts in a row that were no success. */
  #failures = 0;
  /** Streams in a row that began and did not last. */
  #flaps = 0;
  /** Why the store cannot be watched, as it was told last. */
  #trouble: string | undefined;
  /** When to list again, by the monotonic clock. */
  #resync: number;

  constructor(watched: Watched, { bell, signal }: { bell: Bell; signal: AbortSignal }) {
    this.#watched = watched;
    this.#bell = bell;
    this.#signal = signal;
    this.contents = watched.contents;
    const { clock } = watched;
    this.#resync = clock.monotonic() + RESYNC.least + clock.random(RESYNC.spread);
  }

  async run(): Promise<void> {
    const { clock, list, pause } = this.#watched;
    let isCurrent = this.contents !== undefined;
    while (!this.#signal.aborted) {
      const began = clock.monotonic();
      // What was compacted or restored is listed at once, but not again and again.
      let isPrompt = !isCurrent;
      try {
        if (!isCurrent || began >= this.#resync) {
          this.contents = await list(this.contents, this.#signal);
          this.#resync = began + RESYNC.least + clock.random(RESYNC.spread);
          this.#bell.ring();
        }
        isCurrent = await this.#stream(this.contents!);
        isPrompt = !isCurrent;
      } catch (error) {
        if (this.#signal.aborted) return;
        // It may come back from a backup, and by then look as if it had only gone on.
        isCurrent = false;
        this.#fail(troubleIn(error));
      }
      if (clock.monotonic() - began >= LONG && this.#trouble === undefined) this.#failures = this.#flaps = 0;
      else this.#failures++;
      if (this.#failures > (isPrompt ? 1 : 0)) await pause(this.#backOff(), this.#signal);
    }
  }

  /** Follows one stream to its end; false where what it tells does not go on from what is known. */
  async #stream(contents: Contents): Promise<boolean> {
    const { gateway, keys, clock } = this.#watched;
    const request = {
      create_request: {
        key: btoa(keys.root),
        range_end: btoa(keys.end),
        start_revision: String(contents.revision + 1),
      },
    };
    const limits = { signal: this.#signal, lifetime: LIFETIME.least + clock.random(LIFETIME.spread) };
    const over = new AbortController();
    const began = clock.monotonic();
    let isCreated = false;
    try {
      for await (const message of gateway.watch(request, limits)) {
        if (isCompacted(message)) return false;
        if (!isCreated) {
          if (message.created !== true) throw badReply("the first message of a watch", message);
          isCreated = true;
          const header = headerOf(message);
          if (contents.isOther(header)) return false;
          contents.begin(header);
          this.#began(over.signal);
        }
        contents.apply(message);
        this.#bell.ring();
      }
    } finally {
      over.abort("the stream ended");
    }
    if (!isCreated && !this.#signal.aborted) throw trouble("the watch ended before it began");
    // A server that stopped in good order may be another one when it is there again, and so may any after a long sleep.
    const lived = clock.monotonic() - began;
    return lived >= limits.lifetime && lived < limits.lifetime + LONG;
  }

  /** A stream has begun: the trouble is over, unless the last ones broke again at once. */
  #began(ended: AbortSignal): void {
    const { clock, troubled } = this.#watched;
    const recover = () => {
      if (this.#trouble !== undefined && !this.#signal.aborted) troubled(undefined);
      this.#trouble = undefined;
    };
    if (this.#flaps++ < FLAPS) recover();
    else clock.sleep(LONG, ended).then(() => ended.aborted || recover());
  }

  #fail(error: FlanError): void {
    if (this.#trouble !== error.message) this.#watched.troubled(error);
    this.#trouble = error.message;
  }

  #backOff(): number {
    const most = Math.min(PAUSE.first * 2 ** this.#failures, PAUSE.most);
    return most / 2 + this.#watched.clock.random(most / 2);
  }
}

/** Whether etcd has forgotten what the watch was to begin with. Throws where it ends the watch for another reason. */
function isCompacted({ canceled, compact_revision, cancel_reason }: JsonObject): boolean {
  if (canceled !== true) return false;
  if (integer(compact_revision, "the revision of a compaction") > 0) return true;
  throw trouble(`the watch was cancelled: ${quoted(cancel_reason ?? "no reason")}`);
}

/** An outage as such. A certificate that is just being replaced is one as well: the next attempt reads it again. */
function troubleIn(cause: unknown): FlanError {
  const error = explained(cause, "store.watch");
  if (isStoreTrouble(error)) return error;
  if (!(error instanceof FlanError) || error.code !== "invalid") throw error;
  return asStoreTrouble(error);
}

function trouble(why: string): FlanError {
  return new FlanError(`Cannot watch etcd: ${why}`, { op: "store.watch", code: "store" });
}
