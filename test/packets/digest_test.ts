/** The library computes the same on every processor and however it is compiled. */
import assert from "node:assert/strict";
import { build } from "../../tasks/build.ts";

const root = decodeURIComponent(new URL(import.meta.resolve("../../")).pathname);

async function digestOf(argv: readonly string[]): Promise<string> {
  const [program, ...args] = argv as [string, ...string[]];
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, "digest", "5000", "fixtures/packets"],
    cwd: root,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** The first of these programs that runs. */
function found(...programs: string[]): string | undefined {
  return programs.find((program) => {
    try {
      return new Deno.Command(program, { args: ["--version"], stdout: "null" }).outputSync().success;
    } catch {
      return false;
    }
  });
}

/** Not on arm64, where the other tests are its proof. */
const emulator = found("aarch64-linux-gnu-gcc") && found("qemu-aarch64-static", "qemu-aarch64");

Deno.test("digest: optimized code computes what code under sanitizers does", async () => {
  const digest = await digestOf([(await build("replay")).path]);
  assert.match(digest, /^[0-9a-f]{16}\n$/);
  assert.equal(await digestOf([(await build("fuzz")).path]), digest);
});

Deno.test({
  name: "digest: arm64 computes what this processor does",
  ignore: emulator === undefined,
  fn: async () => {
    const { path } = await build("replay-aarch64");
    assert.equal(await digestOf([emulator!, path]), await digestOf([(await build("replay")).path]));
  },
});

Deno.test({
  name: "build: the library compiles for arm64 without a warning",
  ignore: emulator === undefined,
  fn: async () => {
    const header = (await Deno.readFile((await build("aarch64")).path)).subarray(0, 20);
    assert.deepEqual([...header.subarray(0, 4), header[18]], [0x7f, 0x45, 0x4c, 0x46, 183]); // elf.h: EM_AARCH64
  },
});
