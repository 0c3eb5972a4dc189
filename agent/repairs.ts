/** What was put back because the kernel had drifted from an unchanged plan: counted, and told once with its cause. */
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";
import type { Change, KernelEvent } from "../kernel/kernel.ts";
import type { Report } from "../kernel/reconcile.ts";
import { describe, type KernelObject, keyOf, sameObject } from "../kernel/state.ts";
import type { Plan } from "../backends/backend.ts";

export interface Repair {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly what: string;
  readonly cause: string;
}

/** More would only repeat what the first ones say. */
const MAX_NAMED = 3;
const MAX_SUSPECTS = 3;

export class Repairs {
  #count = 0;
  #last: Repair | undefined;
  readonly #suspects = new Set<string>();
  readonly #parts: { clock: Clock; log: Logger };

  constructor(parts: { clock: Clock; log: Logger }) {
    this.#parts = parts;
  }

  /** Objects put back since the start. */
  get count(): number {
    return this.#count;
  }

  get last(): Repair | undefined {
    return this.#last;
  }

  /** Notes who did something that concerns us, for the line that says what was repaired. */
  suspect(event: KernelEvent, by: string): void {
    if (this.#suspects.size >= MAX_SUSPECTS) return;
    const what = [event.group, event.subject, event.link && `dev ${event.link}`].filter(Boolean).join(" ");
    this.#suspects.add(event.group === "overrun" ? "events were lost" : `${what} ${verb(event)} by ${by}`);
  }

  /** Tells repairs from changes of the plan: what stands in both plans alike was put back. */
  judge({ report, before, after }: { report: Report; before: Plan | undefined; after: Plan }): void {
    if (!report.resynced) return;
    const cause = [...this.#suspects].join(", ") || "found by looking";
    this.#suspects.clear();
    if (before === undefined || report.done.length === 0) return;
    const old = byKey(before.objects);
    const now = byKey(after.objects);
    const repaired = report.done.filter((change) => isRepair(change, old, now));
    if (repaired.length === 0) return;
    const named = repaired.slice(0, MAX_NAMED).map((change) => describe(change.object)).join(", ");
    const what = repaired.length > MAX_NAMED ? `${named} and ${repaired.length - MAX_NAMED} more` : named;
    this.#count += repaired.length;
    this.#last = { at: this.#parts.clock.now(), what, cause };
    this.#parts.log.log("warning", `Repaired ${what}`, { code: "repaired", objects: repaired.length, cause });
  }
}

function isRepair(
  { verb, object }: Change,
  old: Map<string, KernelObject>,
  now: Map<string, KernelObject>,
): boolean {
  const [was, is] = [old.get(keyOf(object)), now.get(keyOf(object))];
  if (verb === "delete" && is === undefined) return was === undefined;
  return was !== undefined && is !== undefined && sameObject(was, is);
}

function byKey(objects: readonly KernelObject[]): Map<string, KernelObject> {
  return new Map(objects.map((object) => [keyOf(object), object]));
}

function verb({ action }: KernelEvent): string {
  return action === "delete" ? "deleted" : "changed";
}
