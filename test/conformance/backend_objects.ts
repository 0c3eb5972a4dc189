/**
 * The backend suite's cases about every single object of a plan, made up from the plan: whatever somebody does to it is
 * mended or, where it is then somebody else's, left alone and named.
 */
import assert from "node:assert/strict";
import { requestFor } from "../../kernel/dump_request.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, sameObject } from "../../kernel/state.ts";
import { noteObjects } from "./backend_skips.ts";
import { besides, changesOf, marks, type ObjectChange, unmarked } from "./object_changes.ts";
import { type BackendSuite, onStages, type Stage, words } from "./stage.ts";

const PEERS = [2, 3];

/** Registers the cases, for a kernel in memory: a real one lets nobody set what makes no sense. */
export function objectCases(suite: BackendSuite): void {
  noteObjects(suite);
  const register = onStages(suite);

  register(
    "whatever is changed of any object is put back, and what bears another mark is left and named",
    async (stage) => {
      await stage.reconcile(PEERS);
      for (const wanted of stage.plan(PEERS)) {
        const changes = changesOf(wanted);
        let possible = 0;
        for (const change of changes) {
          if (!await overwritten(stage.other, change.object)) continue;
          possible++;
          if (marks.has(change.field)) await isLeft(stage, { wanted, change });
          else await isPutBack(stage, { wanted, change });
        }
        assert.ok(changes.length === 0 || possible > 0, `nothing of ${keyOf(wanted)} can be changed`);
        await stage.reconcile(PEERS);
        await stage.inStep(PEERS);
      }
    },
  );

  register(
    "what others have beside ours is left alone, and what only we can have there is removed and told",
    async (stage) => {
      await stage.reconcile(PEERS);
      const theirs = new Map<string, KernelObject>();
      for (const object of stage.plan(PEERS)) {
        const other = besides(object);
        // Where a program makes the links, this kernel makes none.
        if (other !== undefined && await overwritten(stage.other, other)) theirs.set(keyOf(other), other);
      }
      const done = await stage.reconcile(PEERS);
      const removed = [...theirs.values()].filter(({ kind }) => unmarked.has(kind));
      assert.deepEqual(done.sort(), removed.map((one) => `delete ${keyOf(one)}`).sort());
      for (const peers of [PEERS, [2], PEERS]) {
        await stage.reconcile(peers);
        for (const other of theirs.values()) {
          const found = await standing(stage, other);
          assert.equal(
            found !== undefined && sameObject(found, other),
            !unmarked.has(other.kind),
            keyOf(other),
          );
        }
      }
    },
  );
}

/** Lets it stand so, made anew where the kernel cannot change it; returns whether the kernel takes it at all. */
async function overwritten(kernel: Kernel, object: KernelObject): Promise<boolean> {
  if ((await kernel.apply([{ verb: "replace", object }])).length === 0) return true;
  const failures = await kernel.apply([{ verb: "delete", object }, { verb: "add", object }]);
  return failures.length === 0;
}

async function standing(stage: Stage, object: KernelObject): Promise<KernelObject | undefined> {
  const found = await stage.other.dump(requestFor(stage.plan(PEERS), stage.suite.owner.links));
  return found.find((one) => keyOf(one) === keyOf(object));
}

interface Deed {
  readonly wanted: KernelObject;
  readonly change: ObjectChange;
}

async function isPutBack(stage: Stage, { wanted, change }: Deed): Promise<void> {
  const what = `${keyOf(wanted)} with another ${change.field}`;
  const done = await stage.reconcile(PEERS);
  assert.ok(done.some((one) => one.endsWith(keyOf(wanted))), `${what}: ${done.join(", ")}`);
  const found = await standing(stage, wanted);
  assert.ok(found !== undefined && valueOf(found, change.field) === valueOf(wanted, change.field), what);
  await stage.inStep(PEERS);
}

async function isLeft(stage: Stage, { wanted, change }: Deed): Promise<void> {
  const what = `${keyOf(wanted)} with another ${change.field}`;
  const report = await stage.report(PEERS);
  assert.deepEqual(words(report), [], what);
  const named = report.conflicts.map(({ code, wanted }) => `${code} ${keyOf(wanted)}`);
  assert.deepEqual(named, [`foreign-${wanted.kind} ${keyOf(wanted)}`], what);
  const found = await standing(stage, wanted);
  assert.ok(
    found !== undefined && valueOf(found, change.field) === valueOf(change.object, change.field),
    what,
  );
  await stage.interfere("delete", change.object);
  const done = await stage.reconcile(PEERS);
  assert.ok(done.includes(`add ${keyOf(wanted)}`), `${what}: ${done.join(", ")}`);
  await stage.inStep(PEERS);
}

/** What the field says, as text. */
function valueOf(object: KernelObject, field: string): string {
  let value: unknown = object;
  for (const part of field.split(".")) value = (value as Record<string, unknown> | undefined)?.[part];
  return JSON.stringify(value) ?? "";
}
