/** What was put back because the kernel had drifted from an unchanged plan: counted, and told once with its cause. */
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";
import type { Change, KernelEvent } from "../kernel/kernel.ts";
import type { Report } from "../kernel/reconcile.ts";
import { objectKinds } from "../kernel/relations.ts";
import { describe, type KernelObject, keyOf, type Link, sameObject } from "../kernel/state.ts";
import type { Plan } from "../backends/backend.ts";
import { Counts } from "./monitoring/counts.ts";
import { Suspects } from "./suspects.ts";

export interface Repair {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly what: string;
  readonly cause: string;
}

/** More would only repeat what the first ones say. */
const MAX_NAMED = 3;

/** Which programs will change something nobody knows before. */
const knownCauses = ["kernel", "unknown"] as const;

export class Repairs {
  #count = 0;
  readonly #counts = new Counts(
    objectKinds.flatMap((kind) => knownCauses.map((cause) => ({ kind, cause }))),
  );
  #last: Repair | undefined;
  readonly #suspects = new Suspects();
  /** Keys of what the last report left undone: doing it later is no repair. */
  #undone: ReadonlySet<string> = new Set();
  readonly #parts: { clock: Clock; log: Logger };

  constructor(parts: { clock: Clock; log: Logger }) {
    this.#parts = parts;
  }

  /** Objects put back since the start. */
  get count(): number {
    return this.#count;
  }

  /** The same by what was put back, and by the program that had changed it (`unknown` where nobody tells). */
  get counts(): Counts {
    return this.#counts;
  }

  get last(): Repair | undefined {
    return this.#last;
  }

  /** The kernel is about to be looked at. */
  begin(): void {
    this.#suspects.begin();
  }

  /** It was read, and what it had announced until then was heard. */
  looked(): void {
    this.#suspects.looked();
  }

  /** Notes an event that concerns us, for the line that says what was repaired. `devices` are our links. */
  suspect(event: KernelEvent, devices: readonly string[]): void {
    this.#suspects.note(event, devices);
  }

  /** Tells repairs from changes of the plan: what stands in both plans alike was put back. */
  judge({ report, before, after }: { report: Report; before: Plan | undefined; after: Plan }): void {
    const undone = this.#undone;
    this.#undone = undoneIn(report);
    this.#suspects.acted(linksMade(report.done, after));
    if (!report.resynced) return;
    const repaired = before === undefined ? [] : repairsIn(report.done, { undone, before, after });
    const { cause, by } = this.#suspects.take({
      gone: goneLink(report.done),
      repaired: repaired.map(({ object }) => object),
    });
    if (repaired.length === 0) return;
    const named = repaired.slice(0, MAX_NAMED).map((change) => describe(change.object)).join(", ");
    const what = repaired.length > MAX_NAMED ? `${named} and ${repaired.length - MAX_NAMED} more` : named;
    this.#count += repaired.length;
    for (const { object } of repaired) this.#counts.add({ kind: object.kind, cause: by });
    this.#last = { at: this.#parts.clock.now(), what, cause };
    const { kind } = repaired[0]!.object;
    this.#parts.log.log("warning", `Repaired ${what}`, {
      code: "repaired",
      kind,
      objects: repaired.length,
      cause,
    });
  }
}

/** A link that was made and not only made anew: it was not there. */
function goneLink(done: readonly Change[]): string | undefined {
  const links = done.flatMap(({ verb, object }) =>
    object.kind === "link" ? [{ verb, name: object.name }] : []
  );
  const deleted = new Set(links.filter(({ verb }) => verb === "delete").map(({ name }) => name));
  return links.find(({ verb, name }) => verb === "add" && !deleted.has(name))?.name;
}

/** The links as planned to which something was done; one with a proxy changes as that comes and goes. */
function linksMade(done: readonly Change[], { objects }: Plan): readonly Link[] {
  const names = new Set(
    done.flatMap(({ object }) =>
      object.kind === "link" ? [object.name] : object.kind === "proxy" ? [object.link] : []
    ),
  );
  return objects.filter((one): one is Link => one.kind === "link" && names.has(one.name));
}

/** What was refused or stood in the way, and what could not be made without it. */
function undoneIn({ failures, waiting, conflicts, state }: Report): ReadonlySet<string> {
  const refused = [...failures, ...waiting].map(({ change }) => change.object);
  const keys = new Set([...refused, ...conflicts.map(({ wanted }) => wanted)].map(keyOf));
  if (keys.size > 0) {
    for (const [key, one] of state) if (one !== "ok") keys.add(key);
  }
  return keys;
}

function repairsIn(
  done: readonly Change[],
  { undone, before, after }: { undone: ReadonlySet<string>; before: Plan; after: Plan },
): readonly Change[] {
  if (done.length === 0) return [];
  const old = byKey(before.objects);
  const now = byKey(after.objects);
  return done.filter((change) => !undone.has(keyOf(change.object)) && isRepair(change, old, now));
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
