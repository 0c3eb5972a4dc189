/** What the backend suite works on: a backend with its host, and the network stack that it is tried on. */
import assert from "node:assert/strict";
import type { Backend, Host } from "../../backends/backend.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Owner } from "../../kernel/ownership.ts";
import { Reconciler, type Report } from "../../kernel/reconcile.ts";
import { type KernelObject, keyOf, ROUTE_PROTOCOL } from "../../kernel/state.ts";
import type { View } from "../../lease/view.ts";
import { FakeClock } from "../lib/fake_clock.ts";

/** One fresh network stack with an underlay link. */
export interface BackendSystem {
  /** A kernel on this stack; a second call gives another program's. */
  kernel(): Kernel;
  close(): Promise<void>;
}

export interface BackendSuite {
  /** Begins the names of the tests. */
  readonly name: string;
  readonly backend: Backend;
  /** This host on the stack that `open` makes. */
  readonly host: Host;
  readonly owner: Owner;
  /** What this host sees when hosts `peers` (2 to 255) are there; one that is negative announces another endpoint. */
  readonly view: (peers: readonly number[]) => View;
  readonly open: () => Promise<BackendSystem>;
  /** Leaves the cases about the plan itself out: they pass elsewhere, and take their time where all is emulated. */
  readonly kernelOnly?: boolean;
}

export type Register = (proves: string, body: (stage: Stage) => Promise<void>) => void;

/** Registers tests with `Deno.test`, each on a stage of its own. */
export function onStages(suite: BackendSuite): Register {
  return (proves, body) =>
    Deno.test(`${suite.name}: ${proves}`, async () => {
      const system = await suite.open();
      try {
        await body(new Stage(suite, system));
      } finally {
        await system.close();
      }
    });
}

/** What was done, as words. */
export function words({ done }: Pick<Report, "done">): string[] {
  return done.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
}

/** A host on a stack: one program that reconciles, and another that interferes. */
export class Stage {
  readonly kernel: Kernel;
  readonly other: Kernel;
  readonly suite: BackendSuite;
  #reconciler: Reconciler;

  constructor(suite: BackendSuite, system: BackendSystem) {
    this.suite = suite;
    this.kernel = system.kernel();
    this.other = system.kernel();
    this.#reconciler = this.#fresh();
  }

  plan(peers: readonly number[]): readonly KernelObject[] {
    return this.suite.backend.plan(this.suite.view(peers), this.suite.host).objects;
  }

  /** Reads the kernel, reconciles to the plan for these peers, and returns what was done, as words. */
  async reconcile(peers: readonly number[]): Promise<string[]> {
    return words(await this.report(peers));
  }

  /** Does the same; what is in the way of the plan stands in the report. */
  async report(peers: readonly number[]): Promise<Report> {
    const report = await this.#reconciler.reconcile(this.plan(peers), { resync: true });
    assert.equal(report.error, undefined);
    assert.deepEqual(report.failures.map(({ error }) => error.message), []);
    return report;
  }

  restart(): void {
    this.#reconciler = this.#fresh();
  }

  /** Insists that the kernel holds the plan, and nothing else of ours. */
  async inStep(peers: readonly number[]): Promise<void> {
    assert.deepEqual(await this.reconcile(peers), []);
  }

  /** Every link, address, route and nexthop, and what lives on our links, in a fixed order. */
  async contents(): Promise<KernelObject[]> {
    const objects = await this.other.dump({ links: this.suite.owner.links, sysctls: [] });
    return objects.filter(isSettled).sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
  }

  async interfere(verb: "add" | "replace" | "delete", object: KernelObject): Promise<void> {
    const failures = await this.other.apply([{ verb, object }]);
    assert.deepEqual(failures.map(({ error }) => error.message), []);
  }

  #fresh(): Reconciler {
    return new Reconciler(this.kernel, { owner: this.suite.owner, clock: new FakeClock() });
  }
}

/** Not an entry that the kernel makes and drops by itself. */
function isSettled(object: KernelObject): boolean {
  return object.kind !== "neighbour" || object.protocol === ROUTE_PROTOCOL;
}
