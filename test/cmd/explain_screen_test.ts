/** How a way is shown: whole in a pipe, folded on a narrow terminal, and with what mends it. */
import assert from "node:assert/strict";
import { explainScreen } from "../../cmd/explain_screen.ts";
import type { Step } from "../../kernel/explain/way.ts";

const steps: readonly Step[] = [
  { what: "lease", text: "10.5.2.0/24 at 192.0.2.2", state: "ok", prove: "flan lease get 10.5.2.0/24" },
  {
    what: "neighbour",
    text: "10.5.2.0\u001b[31m",
    state: "wrong",
    note: "mac is a, not b",
    prove: "ip neighbour",
  },
];
const wide = [
  "lease      ok     10.5.2.0/24 at 192.0.2.2  flan lease get 10.5.2.0/24",
  "neighbour  wrong  10.5.2.0\\u001b[31m        ip neighbour",
  "                  mac is a, not b",
];

Deno.test("a pipe and a wide terminal get a table, whose text no terminal obeys", () => {
  assert.deepEqual(explainScreen(steps, undefined, 0).split("\n"), wide);
  assert.deepEqual(explainScreen(steps, undefined, 70).split("\n"), wide);
});

Deno.test("a narrow terminal gets every hop folded, and nothing is cut", () => {
  assert.deepEqual(explainScreen(steps, undefined, 60).split("\n"), [
    "lease      ok",
    "  10.5.2.0/24 at 192.0.2.2",
    "  $ flan lease get 10.5.2.0/24",
    "neighbour  wrong",
    "  10.5.2.0\\u001b[31m",
    "  mac is a, not b",
    "  $ ip neighbour",
  ]);
});

Deno.test("what mends it stands last: the command, flan's own, or both", () => {
  const last = (commands: readonly string[], flan: string | undefined) =>
    explainScreen(steps, { commands, flan }, 0).split("\n").slice(wide.length);
  assert.deepEqual(last(["a"], undefined), ["repair: a"]);
  assert.deepEqual(last(["a"], "flan x"), ["repair: a    (or: flan x)"]);
  assert.deepEqual(last(["a", "b"], "flan x"), ["repair: flan x    (or:)", "  a", "  b"]);
  assert.deepEqual(last(["a", "b"], undefined), ["repair:", "  a", "  b"]);
  assert.deepEqual(last([], "flan x"), ["repair: flan x"]);
  assert.deepEqual(last([], undefined), []);
});
