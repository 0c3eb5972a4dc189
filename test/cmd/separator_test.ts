/** `deno task demo -- FLAGS` hands its `--` on. */
import assert from "node:assert/strict";
import { withoutSeparator } from "../../cmd/cli.ts";

Deno.test("the -- between a task and its flags stands for nothing, elsewhere it ends the flags", () => {
  assert.deepEqual(withoutSeparator(["demo", "--", "--hosts", "2"]), ["demo", "--hosts", "2"]);
  assert.deepEqual(withoutSeparator(["ping", "--", "-x"]), ["ping", "--", "-x"]);
});
