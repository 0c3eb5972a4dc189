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
