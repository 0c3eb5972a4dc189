import assert from "node:assert/strict";
import { exitCode, explain } from "../../cmd/exit.ts";
import { type ErrorCode, FlanError, KernelError } from "../../net/errors.ts";

/** The promise to scripts, written out once more: a change of either side fails here. */
const promised: Record<ErrorCode, number> = {
  "failed": 1,
  "out-of-subnets": 1,
  "conflict": 1,
  "kernel": 1,
  "invalid": 2,
  "no": 3,
  "store": 4,
  "store-reply": 4,
  "store-denied": 4,
  "store-damaged": 4,
  "not-permitted": 5,
  "unsupported": 5,
  "timeout": 6,
};

for (const [code, expected] of Object.entries(promised)) {
  Deno.test(`an error of kind ${code} exits with ${expected}`, () => {
    assert.equal(exitCode(new FlanError("x", { op: "test", code: code as ErrorCode })), expected);
  });
}

Deno.test("a kernel that does not permit is 5, one that refuses is 1", () => {
  assert.equal(exitCode(new KernelError("x", "EPERM", { op: "test" })), 5);
  assert.equal(exitCode(new KernelError("x", "EBUSY", { op: "test" })), 1);
});

Deno.test("a closed pipe is SIGPIPE's 141 and says nothing", () => {
  const error = new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
  assert.deepEqual([exitCode(error), explain(error)], [141, ""]);
});

Deno.test("an error is one sentence, and a hint on a line of its own", () => {
  const error = new FlanError("Cannot do it: no", { op: "test", code: "failed", hint: "do that" });
  assert.equal(explain(error), "flan: Cannot do it: no\nhint: do that");
  assert.equal(
    explain(new FlanError("Cannot do it: no", { op: "test", code: "failed" })),
    "flan: Cannot do it: no",
  );
});

Deno.test("the kernel's error name is said once", () => {
  assert.equal(
    explain(new KernelError("Cannot add route", "EEXIST", { op: "test" })),
    "flan: Cannot add route (EEXIST)",
  );
  const named = new KernelError("Cannot add route: File exists (EEXIST)", "EEXIST", { op: "test" });
  assert.equal(explain(named), "flan: Cannot add route: File exists (EEXIST)");
  const none = new KernelError("Cannot stop it", "", { op: "test", code: "failed" });
  assert.equal(explain(none), "flan: Cannot stop it", "where there is none, none is made up");
  const late = new KernelError("It does not answer", "ETIMEDOUT", { op: "test", code: "timeout" });
  assert.equal(explain(late), "flan: It does not answer");
});

Deno.test("what others wrote into an error cannot reach the terminal, and is cut", () => {
  const error = new FlanError(`a\u001b[2Jb\n${"x".repeat(5000)}`, {
    op: "t",
    code: "failed",
    hint: "\u0007",
  });
  const [sentence, hint, ...rest] = explain(error).split("\n");
  assert.ok(sentence!.startsWith("flan: a\\u001b[2Jb\\u000axxx") && sentence!.length < 2100);
  assert.deepEqual([hint, rest], ["hint: \\u0007", []]);
});

Deno.test("anything else is a defect of flan, shown as one with its stack", () => {
  assert.match(
    explain(new RangeError("oops")),
    /^flan: This is a defect of flan, please report it\nRangeError: oops\n +at /,
  );
  assert.equal(exitCode(new RangeError("oops")), 1);
  assert.match(explain("text"), /defect[^\n]*\ntext$/);
});
