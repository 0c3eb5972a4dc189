/** Keeps the kernel equal to the plan. */
import type { Clock } from "../net/clock.ts";
import { type Conflict, type Drift, drift, type ObjectState } from "./drift.ts";
import { requestFor } from "./dump_request.ts";
import { recordChanges } from "./effects.ts";
import type { Change, Failure, Kernel, KernelEvent } from "./kernel.ts";
import { noteEvent } from "./note.ts";
import { type Overridden, overridden, type OwnPlace, type PlannedWays } from "./overridden.ts";
import { claims, type Owner } from "./ownership.ts";
import { dependsOn, isBarrier } from "./relations.ts";
import { partOf, settle, type Settled } from "./settled.ts";
import { type KernelObject, keyOf } from "./state.ts";
import { Troubles } from "./troubles.ts";
import { keysMet } from "./wireguard.ts";

/** How often one reconcile looks and tries again when something failed that did not fail before. */
const ROUNDS = 3;

export interface Report {
  /** What the kernel acknowledged, in order. */
  readonly done: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** What the kernel refused and was not mended by looking again. */
  readonly failures: readonly Failure[];
  /** What failed in an earlier call and is not tried again yet. */
  readonly waiting: readonly Failure[];
  /** How each desired object stands now, by `keyOf`; empty while the kernel could not be read. Goes on changing. */
  readonly state: ReadonlyMap<string, ObjectState>;
  /** Whether the kernel was read. */
  readonly resynced: boolean;
  /** Why a whole call (the dump, the batch) failed, where one did; kept until one succeeds. */
  readonly error?: unknown;
  /** Milliseconds until something that failed should be tried again; undefined where nothing fails. */
  readonly retryIn?: number;
}

/** What one call of `reconcile` has gathered so far. */
interface Progress {
  done: Change[];
  failures: readonly Failure[];
  /** Changes that failed before and whose time has not come. */
  waiting: readonly Change[];
  last: Drift | undefined;
  resynced: boolean;
  readonly looked: (() => void) | undefined;
}

export interface ReconcileOptions {
  /** Whether the kernel is read whatever is believed of it. */
  readonly resync?: boolean;
  /** Called each time it was read, when what it had announced until then was heard, and before anything is changed. */
  readonly looked?: () => void;
}

/**
 * Compares the plan with what it believes the kernel holds, and carries the difference out. It reads the
 * kernel at first use, when asked, after a failure, and when an event said that somebody else changed
 * something. Calls must not overlap.
 */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #owner: Owner;
  readonly #troubles: Troubles;
  #believed = new Map<string, KernelObject>();
  #met: ReadonlySet<string> = new Set();
  #dirty = true;
  /** The last plan, while the kernel is believed to hold it. */
  #settled: Settled | undefined;
  /** How many events were taken in. */
  #noted = 0;

  constructor(kernel: Kernel, options: { owner: Owner; clock: Clock }) {
    this.#kernel = kernel;
    this.#owner = options.owner;
    this.#troubles = new Troubles(options.clock);
  }

  /**
   * Makes the kernel equal to `desired`, as far as it can be made so now; what fails is in the report and is
   * tried again by a later call. Never rejects: a call that fails as a whole is `error` in the report. While
   * nothing is dirty and the plan is what it was, the kernel is not asked at all.
   */
  async reconcile(
    desired: readonly KernelObject[],
    { resync = false, looked }: ReconcileOptions = {},
  ): Promise<Report> {
    if (resync) this.#dirty = true;
    const progress: Progress = {
      done: [],
      failures: [],
      waiting: [],
      last: undefined,
      resynced: false,
      looked,
    };
    if (!this.#troubles.callWaits) {
      try {
        for (let round = 1; round <= ROUNDS; round++) {
          if (!await this.#round(desired, progress)) break;
        }
        this.#troubles.callSucceeded();
        this.#troubles.settle(progress.failures, progress.waiting);
      } catch (error) {
        this.#dirty = true;
        this.#troubles.callFailed(error);
      }
    }
    return this.#report(progress);
  }

  /**
   * Takes an event of the kernel in. Returns whether it is a reason to reconcile. A neighbour that the kernel
   * asks for is noted as unresolved, so that it can be answered without reading the kernel.
   */
  note(event: KernelEvent): boolean {
    const meaning = noteEvent(event, { believed: this.#believed, links: this.#owner.links });
    if (meaning === "resync") this.#dirty = true;
    const isOurs = event.link !== undefined && this.#owner.links.includes(event.link);
    if (meaning !== "nothing" || (event.group === "neighbour" && isOurs && !event.own)) {
      // What is believed may be another than what was compared, or is being changed.
      this.#noted++;
      this.#settled = undefined;
    }
    if (meaning === "resync" && (event.group === "link" || event.group === "address")) {
      this.#troubles.hasten();
    }
    return meaning !== "nothing";
  }

  /** Somebody asks for it: what failed may be tried again, though not sooner than 1 s after its last attempt. */
  hasten(): void {
    this.#troubles.hasten();
  }

  /**
   * Whether the event says only what is known: a neighbour or an FDB entry is gone that nobody believes to be there.
   * Linux does not tell whose doing that was, and each that this reconciler removes would have the whole kernel read.
   */
  knows({ group, action, link = "", subject: ip, mac }: KernelEvent): boolean {
    if (group !== "neighbour" || action !== "delete") return false;
    if (mac !== undefined) return !this.#believed.has(keyOf({ kind: "fdb", link, mac, remote: "" }));
    if (ip === undefined) return false;
    return !this.#believed.has(
      keyOf({ kind: "neighbour", link, ip, mac: "", state: "none", protocol: 0 }),
    );
  }

  /** Keys (`peerKey`) of the WireGuard peers that had made a handshake when the kernel was read last. */
  get met(): ReadonlySet<string> {
    return this.#met;
  }

  /** Routes of others that win over planned ones, by what the kernel is believed to hold. */
  overridden(plan: PlannedWays, place: OwnPlace): readonly Overridden[] {
    const actual = this.#believed;
    return overridden(plan, place, { actual: actual.values(), claim: claims(this.#owner, actual.values()) });
  }

  /** One look and one attempt; returns whether another may help. */
  async #round(desired: readonly KernelObject[], progress: Progress): Promise<boolean> {
    const last = this.#dirty ? await this.#look(desired, progress) : this.#compare(desired);
    progress.last = last;
    const size = this.#believed.size;
    const noted = this.#noted;
    const { changes: all } = progress.last;
    progress.waiting = all.filter((change) => this.#troubles.waits(change));
    progress.failures = [];
    const blocked = new Set(progress.waiting.map(({ object }) => keyOf(object)));
    const changes = all.filter(({ object }) => !dependsOn(object, blocked));
    if (changes.length > 0) progress.failures = await this.#carryOut(changes, progress);
    if (progress.failures.length === 0) {
      const clean = progress.waiting.length === 0 && last.conflicts.length === 0;
      if (clean && noted === this.#noted && tookNothingAlong(changes, this.#believed.size - size)) {
        this.#settled = settle(desired, this.#believed, last);
      }
      return false;
    }
    this.#dirty = true;
    // A command that failed would only fail again, and may have taken its time.
    return progress.failures.some(({ change }) =>
      change.object.kind !== "hook" && !this.#troubles.isFailing(change)
    );
  }

  async #look(desired: readonly KernelObject[], progress: Progress): Promise<Drift> {
    this.#settled = undefined;
    const objects = await this.#read(desired);
    progress.resynced = true;
    progress.looked?.();
    return drift(desired, objects, this.#owner);
  }

  /** Compares what is new in the plan, or all of it where it is not known to be settled. */
  #compare(desired: readonly KernelObject[]): Drift {
    const settled = this.#settled;
    this.#settled = undefined;
    const part = settled && partOf(desired, this.#believed, settled);
    if (settled !== undefined && part !== undefined) {
      const { changes, conflicts, state } = drift(part.desired, part.actual, this.#owner);
      if (conflicts.length === 0) {
        for (const key of part.gone) settled.state.delete(key);
        for (const [key, one] of state) settled.state.set(key, one);
        return { changes, conflicts, state: settled.state };
      }
    }
    return drift(desired, this.#believed.values(), this.#owner);
  }

  async #read(desired: readonly KernelObject[]): Promise<readonly KernelObject[]> {
    // Cleared first: an event that arrives while the dump runs may be newer than what the dump says.
    this.#dirty = false;
    const objects = await this.#kernel.dump(requestFor(desired, this.#owner.links));
    // Judged by what was believed before: what the dump has seen already is news all the same.
    await this.#kernel.hear();
    this.#believed = new Map(objects.map((object) => [keyOf(object), object]));
    this.#met = keysMet(objects);
    return objects;
  }

  /** Where something fails, what hangs on it is not attempted: it would fail, too, and then wait for a time of its own. */
  async #carryOut(changes: readonly Change[], progress: Progress): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    const failed = new Set<string>();
    for (const stage of stagesOf(changes)) {
      const possible = stage.filter(({ object }) => !dependsOn(object, failed));
      for (const failure of await this.#apply(possible, progress)) {
        failures.push(failure);
        failed.add(keyOf(failure.change.object));
      }
    }
    return failures;
  }

  async #apply(changes: readonly Change[], progress: Progress): Promise<readonly Failure[]> {
    if (changes.length === 0) return [];
    const failures = await this.#kernel.apply(changes);
    const refused = new Set(failures.map(({ change }) => change));
    const acknowledged = changes.filter((change) => !refused.has(change));
    recordChanges(this.#believed, acknowledged);
    for (const change of acknowledged) {
      progress.done.push(change);
      const key = keyOf(change.object);
      if (change.verb !== "delete" && progress.last?.state.has(key)) progress.last.state.set(key, "ok");
    }
    return failures;
  }

  #report(progress: Progress): Report {
    const { retryIn, callError } = this.#troubles;
    return {
      done: progress.done,
      conflicts: progress.last?.conflicts ?? [],
      failures: progress.failures,
      waiting: this.#troubles.lastFailures(progress.waiting),
      state: progress.last?.state ?? new Map(),
      resynced: progress.resynced,
      ...(callError === undefined ? {} : { error: callError }),
      ...(retryIn === undefined ? {} : { retryIn }),
    };
  }
}

/** The changes in their order: links and what stands before them, all until the proxies run, and the rest. */
function stagesOf(changes: readonly Change[]): (readonly Change[])[] {
  const first = changes.findIndex(({ object }) => object.kind !== "link" && !isBarrier(object));
  const links = first < 0 ? changes.length : first;
  const proxies = changes.findLastIndex(({ verb, object }) => verb !== "delete" && object.kind === "proxy") +
    1;
  const split = Math.max(links, proxies);
  return [changes.slice(0, links), changes.slice(links, split), changes.slice(split)];
}

/** Whether `changes` did what they say and no more, when there are so many objects more than before. */
function tookNothingAlong(changes: readonly Change[], growth: number): boolean {
  const sizes = { add: 1, replace: 0, delete: -1 };
  return growth === changes.reduce((sum, { verb }) => sum + sizes[verb], 0);
}
