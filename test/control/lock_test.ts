import assert from "node:assert/strict";
import { provenHolder } from "../../control/lock.ts";

const lib = new URL("../../control/lock.ts", import.meta.url);
const config = new URL("../../deno.json", import.meta.url).pathname;

/** A flan-like process that runs `script` until it is ended, once it has said its first line. */
async function spawn(dir: string, name: string, script: string): Promise<Deno.ChildProcess> {
  Deno.writeTextFileSync(`${dir}/${name}.ts`, script);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--config", config, `${dir}/${name}.ts`],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "ready\n");
  await reader.cancel();
  return child;
}

Deno.test("lock: its holder is found at every look while a hundred other locks come and go", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-lock-" });
  const path = `${dir}/held.lock`;
  const holder = await spawn(
    dir,
    "hold",
    `import { tryLock } from "${lib}";
    if (tryLock("${path}") !== undefined) console.log("ready");
    setInterval(() => {}, 1_000_000);`,
  );
  const restless = await spawn(
    dir,
    "restless",
    `import { tryLock } from "${lib}";
    const work = () => {
      const locks = Array.from({ length: 100 }, (_, i) => tryLock("${dir}/other." + i));
      for (const lock of locks) lock?.release();
    };
    work();
    console.log("ready");
    setInterval(work, 0);`,
  );
  try {
    Deno.writeTextFileSync(path, `${Deno.ppid}\n`);
    for (let look = 0; look < 1000; look++) assert.equal(provenHolder(path), holder.pid, `look ${look}`);
  } finally {
    for (const child of [holder, restless]) {
      child.kill("SIGKILL");
      await child.status;
    }
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("lock: another user cannot open it, and so not hold it, but sees whether somebody does, and who", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-lock-" });
  Deno.chmodSync(dir, 0o755);
  const path = `${dir}/held.lock`;
  const free = `${dir}/free.lock`;
  // As one of an older version.
  Deno.writeTextFileSync(path, "", { mode: 0o644 });
  Deno.writeTextFileSync(free, `${Deno.pid}\n`, { mode: 0o600 });
  const holder = await spawn(
    dir,
    "hold",
    `import { tryLock } from "${lib}";
    if (tryLock("${path}") !== undefined) console.log("ready");
    setInterval(() => {}, 1_000_000);`,
  );
  try {
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    Deno.writeTextFileSync(
      `${dir}/nobody.ts`,
      `import { isHeld, lockHolder } from "${lib}";
      const libc = Deno.dlopen("libc.so.6", { seteuid: { parameters: ["u32"], result: "i32" } });
      if (libc.symbols.seteuid(65534) !== 0) throw new Error("it is still root");
      const seen = ${JSON.stringify([path, free])}.map((path) => [isHeld(path), lockHolder(path) ?? null]);
      console.log(JSON.stringify(seen));`,
    );
    const args = ["run", "-A", "-q", "--config", config, `${dir}/nobody.ts`];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const text = new TextDecoder();
    const seen = JSON.parse(text.decode(stdout) || `"${text.decode(stderr)}"`);
    assert.deepEqual(seen, [[true, holder.pid], [false, null]]);
  } finally {
    holder.kill("SIGKILL");
    await holder.status;
    Deno.removeSync(dir, { recursive: true });
  }
});
