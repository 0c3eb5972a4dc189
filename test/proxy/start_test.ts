/** Starting a process that outlives its starter, and stopping one, also one that is deaf. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { isHeld, tryLock } from "../../control/lock.ts";
import { ProxyClient } from "../../proxy/client.ts";
import { startProxy } from "../../proxy/start.ts";
import { stopProxy } from "../../proxy/stop.ts";

const root = new URL("../../", import.meta.url);

const run = ["run", "--quiet", "--allow-all", "--no-check", "--config", new URL("deno.json", root).pathname];

async function inDirectory(work: (runDir: string) => Promise<void>): Promise<void> {
  const runDir = Deno.makeTempDirSync({ prefix: "flan-start-" });
  try {
    await work(runDir);
  } finally {
    Deno.removeSync(runDir, { recursive: true });
  }
}

/** A program that takes the proxy's lock, and then runs `script`. */
function program(runDir: string, script: string): string[] {
  const source = `
    import { tryLock } from "${new URL("control/lock.ts", root)}";
    import { tellStarted } from "${new URL("proxy/start.ts", root)}";
    import { FlanError } from "${new URL("net/errors.ts", root)}";
    const lock = tryLock("${runDir}/proxy.lock");
    ${script}
  `;
  const file = `${runDir}/program.ts`;
  Deno.writeTextFileSync(file, source);
  return [Deno.execPath(), ...run, file];
}

const stay = "setInterval(() => {}, 1000);";

function pidOf(runDir: string): number {
  return Number(Deno.readTextFileSync(`${runDir}/proxy.lock`));
}

function session(pid: number): number {
  // proc_pid_stat(5): after the name in parentheses come state, parent, process group and session.
  return Number(Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ")[3]);
}

Deno.test("start: it resolves when the process tells so; that one has its own session and writes to the log", async () => {
  await inDirectory(async (runDir) => {
    const script = `console.log("said"); console.error("complained"); tellStarted(); ${stay}`;
    const logFile = `${runDir}/proxy.log`;
    await startProxy(program(runDir, script), { logFile, clock: systemClock });
    const pid = pidOf(runDir);
    assert.equal(session(pid), pid);
    assert.equal(Deno.readTextFileSync(logFile), "said\ncomplained\n");
    for (const fd of [1, 2]) assert.equal(Deno.readLinkSync(`/proc/${pid}/fd/${fd}`), logFile);
    const client = new ProxyClient({ runDir, clock: systemClock });
    assert.equal(
      await stopProxy(client, { clock: systemClock }),
      pid,
      "nobody listens, but it holds the lock",
    );
    assert.equal(
      await stopProxy(client, { clock: systemClock }),
      undefined,
      "it is gone, its lock file is not",
    );
  });
});

Deno.test("start: what keeps it from starting is thrown as it was there", async () => {
  await inDirectory(async (runDir) => {
    const error = `new FlanError("Cannot do it", { op: "x", code: "unsupported", hint: "do that" })`;
    await assert.rejects(
      startProxy(program(runDir, `tellStarted(${error});`), { logFile: `${runDir}/log`, clock: systemClock }),
      { message: "Cannot do it", code: "unsupported", hint: "do that" },
    );
  });
});

Deno.test("start: a log that cannot be opened is one sentence, and nothing is started", async () => {
  await inDirectory(async (runDir) => {
    Deno.mkdirSync(`${runDir}/proxy.log`);
    const command = program(runDir, `tellStarted(); ${stay}`);
    await assert.rejects(startProxy(command, { logFile: `${runDir}/proxy.log`, clock: systemClock }), {
      message: `its log ${runDir}/proxy.log cannot be opened: Is a directory (os error 21)`,
      code: "failed",
    });
    assert.equal(isHeld(`${runDir}/proxy.lock`), false);
  });
});

Deno.test("start: a process that ends without a word, or says nonsense, is one sentence with the log's place", async () => {
  await inDirectory(async (runDir) => {
    const nonsense = `Deno.writeTextFileSync("/proc/self/fd/3", "[1,2]\\n"); ${stay}`;
    for (const command of [["false"], ["/nowhere/flan"], program(runDir, nonsense)]) {
      await assert.rejects(startProxy(command, { logFile: `${runDir}/log`, clock: systemClock }), {
        message: "it ended before it could be asked",
        code: "failed",
        hint: `see ${runDir}/log`,
      });
    }
    Deno.kill(pidOf(runDir), "SIGKILL");
  });
});

Deno.test("start: a starter that is killed takes no proxy along", async () => {
  await inDirectory(async (runDir) => {
    const command = program(runDir, `tellStarted(); ${stay}`);
    const starter = `
      import { startProxy } from "${new URL("proxy/start.ts", root)}";
      import { systemClock } from "${new URL("agent/clock.ts", root)}";
      await startProxy(${JSON.stringify(command)}, { logFile: "${runDir}/log", clock: systemClock });
      console.log("started");
      ${stay}
    `;
    Deno.writeTextFileSync(`${runDir}/starter.ts`, starter);
    const child = new Deno.Command(Deno.execPath(), {
      args: [...run, `${runDir}/starter.ts`],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const pid = pidOf(runDir);
    assert.equal(Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)![0] === "Z", false);
    Deno.kill(pid, "SIGKILL");
  });
});

Deno.test("stop: a proxy that does not answer is killed after a while, and only the one that holds the lock", async () => {
  await inDirectory(async (runDir) => {
    const script = `Deno.listen({ transport: "unix", path: "${runDir}/proxy.sock" }); tellStarted(); ${stay}`;
    await startProxy(program(runDir, script), { logFile: `${runDir}/log`, clock: systemClock });
    const pid = pidOf(runDir);
    Deno.kill(pid, "SIGSTOP");
    // Half the patience of a real one is enough for a test.
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 50, signal),
    };
    const client = new ProxyClient({ runDir, clock });
    assert.equal(await stopProxy(client, { clock }), pid);
    assert.equal(await client.show(), undefined);
    assert.deepEqual(
      [...Deno.readDirSync(runDir)].map(({ name }) => name).filter((name) => name.startsWith("proxy.")),
      ["proxy.lock"],
    );
  });
});

Deno.test("stop: it looks at the lock and never takes it, so that a second stop kills no bystander", async () => {
  await inDirectory(async (runDir) => {
    const lock = `${runDir}/proxy.lock`;
    Deno.writeTextFileSync(lock, "4194000\n");
    const client = new ProxyClient({ runDir, clock: systemClock });
    assert.equal(await stopProxy(client, { clock: systemClock }), undefined);
    assert.equal(isHeld(lock), false);
    assert.equal(Deno.readTextFileSync(lock), "4194000\n", "nobody's number is written over it");
    const held = tryLock(lock)!;
    assert.equal(isHeld(lock), true, "this process's own counts, too");
    held.release();
    assert.equal(isHeld(lock), false);
    assert.equal(isHeld(`${runDir}/none`), false);
  });
});
