/** `deno task setup` where something cannot be had: a sentence, and exit 5 before anything else is done. */
import assert from "node:assert/strict";

const setup = decodeURIComponent(new URL(import.meta.resolve("../../tasks/setup.ts")).pathname);

function run(level: string, { within = [] }: { within?: readonly string[] } = {}) {
  const [program, ...args] = [...within, Deno.execPath(), "run", "--quiet", "--allow-all", setup, level];
  const { code, stderr } = new Deno.Command(program!, { args, env: { NO_COLOR: "1" } }).outputSync();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test({
  name:
    "setup: a machine that has all is told nothing, and one that cannot have esbuild what it lacks and why",
  ignore: Deno.uid() !== 0,
  fn: () => {
    assert.deepEqual(run("install"), { code: 0, stderr: "" });
    const empty = Deno.makeTempDirSync({ prefix: "flan-setup-test-" });
    try {
      const { code, stderr } = run("install", { within: ["unshare", "--net", "env", `DENO_DIR=${empty}`] });
      assert.match(stderr, /^setup: esbuild is missing \(.*\) and cannot be had from npm: .*@esbuild.*\n$/);
      assert.equal(code, 5);
    } finally {
      Deno.removeSync(empty, { recursive: true });
    }
  },
});

Deno.test("setup: a level that there is none of is a usage error", () => {
  const told = 'setup: "all" is not one of run, install, test, bench\n';
  assert.deepEqual(run("all"), { code: 2, stderr: told });
});
