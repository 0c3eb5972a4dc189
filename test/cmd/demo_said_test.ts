/** How a failure of one of the demo's hosts is told. */
import assert from "node:assert/strict";
import { failureOf } from "../../cmd/demo/said.ts";
import { errorCodeOf, exit, exitCode, explain } from "../../cmd/exit.ts";

Deno.test("a host's failure is told once, with its hint on a line of its own and its exit code", () => {
  const stderr =
    "flan: Started network 10.244.0.0/16\nflan: Cannot use x links: none (EOPNOTSUPP)\nhint: modprobe x\n";
  const failure = failureOf("Cannot join on one", { code: exit.unsupported, stderr });
  assert.equal(
    explain(failure),
    "flan: Cannot join on one: Cannot use x links: none (EOPNOTSUPP)\nhint: modprobe x",
  );
  assert.equal(exitCode(failure), exit.unsupported);
});

Deno.test("what is not flan's own sentence is told whole, and who says nothing by the exit code", () => {
  const told = (stderr: string) => explain(failureOf("Cannot join on one", { code: 1, stderr }));
  assert.equal(told("error: a\n  b\n"), "flan: Cannot join on one: error: a; b");
  assert.equal(told(""), "flan: Cannot join on one: exit code 1");
});

Deno.test("an error that is made of an exit code has that exit code", () => {
  for (const code of [exit.failed, exit.usage, exit.no, exit.store, exit.unsupported, exit.timeout]) {
    assert.equal(exitCode(failureOf("x", { code, stderr: "" })), code);
  }
  assert.equal(errorCodeOf(exit.interrupted), "failed");
});
