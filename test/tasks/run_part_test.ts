/** `deno task test`: what is left of a part that is killed or interrupted. */
import assert from "node:assert/strict";
import { type Count, runPart } from "../../tasks/run_part.ts";
import { until } from "../lib/until.ts";

/** A part that is a shell script. */
const part = (script: string) => ({ name: "some", within: ["sh", "-c", script], args: [] });

function isThere(pid: number): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The number that a part has told. */
const pidIn = (told: string) => Number(/^pid (\d+)$/m.exec(told)?.[1]);

Deno.test("part: what it says is handed on, and its last line counted", async () => {
  const said = async (script: string): Promise<[Count, string]> => {
    let told = "";
    const count = await runPart(part(script), { tell: (text) => told += text });
    return [count, told];
  };
  const line = "echo 'FAILED | 5 passed (2 steps) | 1 failed | 3 ignored (69ms)' >&2";
  assert.deepEqual(await said(`${line}; exit 1`), [
    { passed: 5, failed: 1, skipped: 3 },
    "\n== some\nFAILED | 5 passed (2 steps) | 1 failed | 3 ignored (69ms)\n",
  ]);
  assert.deepEqual((await said("true"))[0], { passed: 1, failed: 0, skipped: 0 });
  assert.deepEqual((await said("echo 'ok | 2 passed'; exit 1"))[0], { passed: 2, failed: 1, skipped: 0 });
});

Deno.test("part: one that hangs is killed with what it started, and is a failure", async () => {
  let told = "";
  const hanging = part("sleep 1000 & echo pid $!; wait");
  const count = await runPart(hanging, { tell: (text) => told += text, patience: 1000 });
  assert.deepEqual(count, { passed: 0, failed: 1, skipped: 0 });
  assert.match(told, /^killed after 1 s$/m);
  await until("it is gone", () => Promise.resolve(!isThere(pidIn(told))));
});

for (const [signal, code] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`part: ${signal} ends what runs, and no folder of groups is left`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "flan-run-part-" });
    try {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--allow-all", "--no-check", "tasks/test.ts", "ffi"],
        env: { TMPDIR: folder, PATH: `${folder}/bin:${Deno.env.get("PATH")}` },
        stdin: "null",
        stdout: "piped",
      });
      // In the place of the program that the part runs in.
      Deno.mkdirSync(`${folder}/bin`);
      // Whoever runs the tests may ignore these, and would hand that on.
      const script = "#!/bin/sh\necho pid $$\nexec env --default-signal=INT,HUP sleep 1000\n";
      Deno.writeTextFileSync(`${folder}/bin/unshare`, script, { mode: 0o755 });
      const running = child.spawn();
      let told = "";
      for await (const chunk of running.stdout) {
        told += new TextDecoder().decode(chunk);
        if (/^pid \d+$/m.test(told) && told.endsWith("\n")) {
          assert.equal([...Deno.readDirSync(folder)].length, 2);
          running.kill(signal);
        }
      }
      assert.equal((await running.status).code, code);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["bin"]);
      await until("it is gone", () => Promise.resolve(!isThere(pidIn(told))));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}
