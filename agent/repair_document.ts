/** What a repair did and what it had to leave, as the agent tells it to the command that asked for it. */
import type { Change } from "../kernel/kernel.ts";
import type { Report } from "../kernel/reconcile.ts";
import { describe, type KernelObject, keyOf } from "../kernel/state.ts";
import type { Clock } from "../net/clock.ts";
import { messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { check, v } from "../net/schema.ts";
import { askAgent } from "./control.ts";

const object = { key: v.string(), object: v.string() };
const schema = v.object({
  done: v.array(v.object({ ...object, did: v.picklist(["added", "changed", "removed"]) })),
  left: v.array(v.object({ ...object, code: v.string(), why: v.string() })),
});

export type RepairDocument = v.InferOutput<typeof schema>;

const words: Readonly<Record<Change["verb"], "added" | "changed" | "removed">> = {
  add: "added",
  replace: "changed",
  delete: "removed",
};

/** Done in order; left is what the kernel refused, now or lately, and what somebody else's object stands in the way of. */
export function repairDocument(
  { done, conflicts, failures, waiting, error }: Pick<
    Report,
    "done" | "conflicts" | "failures" | "waiting" | "error"
  >,
): RepairDocument {
  const named = (one: KernelObject) => ({ key: keyOf(one), object: describe(one) });
  return {
    done: done.map((change) => ({ ...named(change.object), did: words[change.verb] })),
    left: [
      ...conflicts.map(({ code, wanted, found }) => ({
        ...named(wanted),
        code,
        why: `${describe(found)} is not flan's and stands in its place`,
      })),
      ...[...failures, ...waiting].map(({ change, error }) => ({
        ...named(change.object),
        code: "kernel-refuses",
        why: error.message,
      })),
      ...(error === undefined
        ? []
        : [{ key: "kernel", object: "the kernel", code: "kernel-refuses", why: messageOf(error) }]),
    ],
  };
}

/**
 * Lets the agent behind `path` repair. Resolves to undefined where none runs, to null where it is still joining. Throws
 * as `askAgent` does.
 */
export async function askRepair(
  path: string,
  { clock }: { clock: Clock },
): Promise<RepairDocument | null | undefined> {
  const answer: Json | undefined = await askAgent(path, { op: "repair", clock });
  return answer == null ? answer : check(schema, answer, "the agent's answer");
}
