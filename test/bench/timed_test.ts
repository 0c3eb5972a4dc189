/** What commands take is read from here, so it must be theirs. */
import assert from "node:assert/strict";
import { run } from "../../cmd/demo/shell.ts";
import { timed, timesIn } from "./timed.ts";

Deno.test("timed: a program keeps its exit code and its complaints, and tells what it took after them", async () => {
  const { code, stdout, stderr } = await run(timed(["sh", "-c", "echo out; echo why >&2; exit 3"]));
  assert.deepEqual([code, stdout, stderr.split("\n")[0]], [3, "", "why"]);
  const { real, user, system } = timesIn(stderr);
  assert.ok(real > 0 && user >= 0 && system >= 0);
});

Deno.test("timed: the last line counts, and one that is none is not read", () => {
  assert.deepEqual(timesIn("1.0 2.0 3.0\n0.204 0.150 0.040\n"), { real: 0.204, user: 0.15, system: 0.04 });
  assert.deepEqual(timesIn("12.5 1.250 0.040"), { real: 12.5, user: 1.25, system: 0.04 });
  for (const text of ["", "why\n", "1.0 2.0\n", "0.2 0.1 0.1\nwhy\n"]) assert.throws(() => timesIn(text));
});
