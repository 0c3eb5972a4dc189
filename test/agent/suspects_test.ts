/** What is called the cause of a repair, and what only went along with it. */
import assert from "node:assert/strict";
import { Suspects } from "../../agent/suspects.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";

const link = (name: string, action: "new" | "delete" = "new"): KernelEvent => ({
  group: "link",
  action,
  own: false,
  port: 0,
  link: name,
});

Deno.test("suspects: another link's change made us look, and is not called the cause", () => {
  const suspects = new Suspects();
  suspects.note(link("eth0"), "flan.1");
  assert.equal(suspects.take(), "found by looking, after link eth0 changed");
  suspects.note(link("eth0"), "flan.1");
  suspects.note(link("flan.1", "delete"), "flan.1");
  assert.equal(suspects.take(), "link flan.1 deleted");
  assert.equal(suspects.take(), "found by looking");
});
