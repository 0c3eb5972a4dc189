/** Commands of a network: what they are told, what is heard of them, and how one that hangs ends. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { type HookCommand, LIMIT_MS, runCommand } from "../../hooks/run_command.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const run = (command: string, { stdin = "", env = {}, clock = new FakeClock() }: Partial<HookCommand> = {}) =>
  runCommand({ command, env, stdin, clock, purpose: "set up 10.5.2.0/24" });

Deno.test("command: it is a shell's, reads its input, has its variables, and what it says is trimmed", async () => {
  assert.equal(
    await run('read a; echo; echo "$a $X" | tr a-z A-Z; echo no >&2', { stdin: "in\n", env: { X: "x" } }),
    "IN X",
  );
});

Deno.test("command: it need not read its input, nor is all of what it says kept", async () => {
  assert.equal(await run("true", { stdin: "x".repeat(1 << 20) }), "");
  assert.equal((await run("head -c 300000 /dev/zero | tr '\\0' y")).length, 64 * 1024);
});

Deno.test("command: one that fails is named with its code and the last that it said", async () => {
  await assert.rejects(run("echo one >&2; echo two >&2; exit 7"), {
    code: "failed",
    message: /^Cannot set up 10\.5\.2\.0\/24: exit code 7 of ".*": "two"$/,
  });
  await assert.rejects(run("kill -9 $$"), { message: /it was ended by SIGKILL/ });
});

Deno.test("command: one that hangs is killed with all that it started, though it ignores signals", async () => {
  const clock = new FakeClock();
  const file = Deno.makeTempFileSync();
  const running = run(`trap '' TERM; sleep 1000 & echo $! > ${file}; wait; sleep 1000`, { clock });
  const rejected = assert.rejects(running, { message: /it took more than 10 s and was killed/ });
  while (Deno.readTextFileSync(file) === "") await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(LIMIT_MS);
  await rejected;
  // It has ended; whether whoever inherited it has noticed is not ours to say.
  assert.equal(commandLine(Deno.readTextFileSync(file).trim()), "");
  Deno.removeSync(file);
});

for (const code of [0, 7]) {
  Deno.test(`command: one that leaves a daemon behind ends by its own exit code, ${code} here, and not with the daemon`, async () => {
    const file = Deno.makeTempFileSync();
    const command = `exec 3>${file}; setsid sleep 30 & echo $! >&3; echo said; echo why >&2; exit ${code}`;
    const running = run(command, { clock: systemClock, stdin: "data" });
    if (code === 0) assert.equal(await running, "said");
    else await assert.rejects(running, { message: /exit code 7 of ".*: "why"$/ });
    Deno.kill(Number(Deno.readTextFileSync(file)), "SIGKILL");
    Deno.removeSync(file);
  });
}

Deno.test("command: one that hangs is killed in time though a daemon that it started has a session of its own", async () => {
  const clock = new FakeClock();
  const file = Deno.makeTempFileSync();
  const running = run(`setsid sh -c 'echo $$ > ${file}; exec sleep 30' & sleep 1000`, { clock });
  let over = false;
  const rejected = assert.rejects(running, { message: /it took more than 10 s and was killed/ })
    .finally(() => over = true);
  while (Deno.readTextFileSync(file) === "") await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(LIMIT_MS);
  while (!over) await clock.advance(100);
  await rejected;
  Deno.kill(Number(Deno.readTextFileSync(file)), "SIGKILL");
  Deno.removeSync(file);
});

function commandLine(pid: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
