/** The programs that the doctor asks: what they say, how they end, and that no more of it is held than is wanted. */
import assert from "node:assert/strict";
import { runProgram } from "../../cmd/doctor/program.ts";
import { thisSystem } from "../../cmd/doctor/system.ts";

const limits = { seconds: 20, output: 1000 };

Deno.test("a program: output, complaints, exit code and environment", async () => {
  const said = await runProgram(["sh", "-c", "echo $X; echo no >&2; exit 3"], { ...limits, env: { X: "y" } });
  assert.deepEqual(said, {
    code: 3,
    stdout: { text: "y\n", length: 2 },
    stderr: { text: "no\n", length: 3 },
  });
  assert.equal((await runProgram(["flan-no-such-program"], limits)).code, 127);
});

Deno.test("a program that prints without end is read on, and no more is held than is wanted", async () => {
  const { code, stdout } = await runProgram(["head", "-c", "50000000", "/dev/zero"], limits);
  assert.deepEqual([code, stdout.text.length, stdout.length], [0, 1000, 50_000_000]);
});

Deno.test("a program that fails or prints too much has no output", async () => {
  const { output } = thisSystem(false);
  assert.equal(await output(["echo", "a"]), "a\n");
  assert.equal(await output(["false"]), undefined);
  assert.equal(await output(["flan-no-such-program"]), undefined);
  assert.equal(await output(["head", "-c", String((16 << 20) + 1), "/dev/zero"]), undefined);
});
