/** What keeps the kernel from the plan, and the two log lines about it: when it begins and when it is over. */
import type { Clock } from "../net/clock.ts";
import { KernelError, messageOf } from "../net/errors.ts";
import type { Fields, Logger } from "../net/log.ts";
import { Backoff } from "./backoff.ts";
import type { Conflict } from "./drift.ts";
import type { Change, Failure } from "./kernel.ts";
import { describe, keyOf, sameObject } from "./state.ts";

interface Line {
  readonly message: string;
  readonly fields: Fields;
}

/** The key under which a failure of a whole call is kept; no object has it. */
const CALL = "kernel";

export class Troubles {
  readonly #log: Logger;
  readonly #failing: Backoff<Failure | undefined>;
  #callError: unknown;
  readonly #conflicts = new Map<string, string>();

  constructor(options: { clock: Clock; log: Logger }) {
    this.#log = options.log;
    this.#failing = new Backoff(options.clock);
  }

  /** Whether the change failed lately and is not to be tried yet; another value is tried at once. */
  waits(change: Change): boolean {
    if (this.#failing.size === 0) return false;
    const key = keyOfChange(change);
    if (!this.#failing.waits(key)) return false;
    const failed = this.#failing.get(key);
    return failed !== undefined && sameObject(failed.change.object, change.object);
  }

  /** Whether the last whole call failed and the next is not to be tried yet. */
  get callWaits(): boolean {
    return this.#failing.waits(CALL);
  }

  /** Why the last whole call failed, until one succeeds. */
  get callError(): unknown {
    return this.#callError;
  }

  /** How each of these changes failed when it was tried last. */
  lastFailures(changes: readonly Change[]): Failure[] {
    return changes.map((change) => this.#failing.get(keyOfChange(change))).filter((one) => one !== undefined);
  }

  isFailing(change: Change): boolean {
    return this.#failing.get(keyOfChange(change)) !== undefined;
  }

  /** A whole call (the dump, the batch) failed. */
  callFailed(error: unknown): void {
    this.#callError = error;
    if (this.#failing.failed(CALL, undefined)) {
      this.#log.log("error", messageOf(error), { code: "kernel", errno: errnoOf(error) });
    }
  }

  callSucceeded(): void {
    if (!this.#failing.keys().includes(CALL)) return;
    this.#failing.forget(CALL);
    this.#callError = undefined;
    this.#log.log("info", "The kernel answers again", { code: "kernel" });
  }

  /**
   * Takes what failed in this reconcile as failing, keeps what is `waiting` for its time, and forgets the rest.
   * `open` are the keys (`keyOf`) of the objects that are not as planned. Lines are logged for what changed: one
   * for each errno and kind, however many objects it concerns.
   */
  settle(
    failures: readonly Failure[],
    rest: { readonly waiting: readonly Change[]; readonly open: ReadonlySet<string> },
  ): void {
    const keep = new Set(rest.waiting.map(keyOfChange)).add(CALL);
    const begun: Line[] = [];
    for (const failure of failures) {
      const { change, error } = failure;
      keep.add(keyOfChange(change));
      if (this.#failing.failed(keyOfChange(change), failure)) {
        const fields = { code: "kernel", errno: error.errno, kind: change.object.kind };
        begun.push({ message: error.message, fields });
      }
    }
    const over: Line[] = [];
    for (const key of this.#failing.keys()) {
      if (keep.has(key)) continue;
      const object = this.#failing.forget(key)?.change.object;
      if (object === undefined || rest.open.has(keyOf(object))) continue;
      over.push({
        message: `As planned again: ${describe(object)}`,
        fields: { code: "kernel", kind: object.kind },
      });
    }
    this.#write("warning", begun);
    this.#write("info", over);
  }

  /** Takes the conflicts of the last look; logs those that are new and those that are gone. */
  conflicts(now: readonly Conflict[]): void {
    const keys = new Set<string>();
    const begun: Line[] = [];
    for (const { code, wanted, found } of now) {
      const key = keyOf(wanted);
      keys.add(key);
      const line = `Cannot make ${describe(wanted)}: ${describe(found)} is not flan's and stays`;
      if (this.#conflicts.get(key) === line) continue;
      this.#conflicts.set(key, line);
      begun.push({ message: line, fields: { code, kind: wanted.kind } });
    }
    const over: Line[] = [];
    for (const key of [...this.#conflicts.keys()]) {
      if (keys.has(key)) continue;
      this.#conflicts.delete(key);
      over.push({ message: `Nothing foreign is in the way any more: ${key}`, fields: { code: "foreign" } });
    }
    this.#write("warning", begun);
    this.#write("info", over);
  }

  /** The kernel changed: what fails may be tried soon. */
  hasten(): void {
    this.#failing.hasten();
  }

  get retryIn(): number | undefined {
    return this.#failing.retryIn;
  }

  /** One line for each distinct set of fields, with the number of the others. */
  #write(level: "warning" | "info", lines: readonly Line[]): void {
    const groups = Map.groupBy(lines, ({ fields }) => JSON.stringify(fields));
    for (const [first, ...others] of groups.values()) {
      const more = others.length === 0 ? "" : `, and ${others.length} more`;
      this.#log.log(level, first!.message + more, { ...first!.fields, count: others.length + 1 });
    }
  }
}

/** An object's removal and its making fail each for itself. */
function keyOfChange({ verb, object }: Change): string {
  return `${verb} ${keyOf(object)}`;
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof KernelError ? error.errno : undefined;
}
