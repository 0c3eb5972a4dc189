/** A wrong argument of the bench must be one sentence, and must not start a measurement. */
import assert from "node:assert/strict";
import { help, settingsOf } from "./settings.ts";
import { UsageError, writable } from "./usage.ts";

const parts = ["planes", "etcd"];
const read = (...args: readonly string[]) => settingsOf(args, parts);

Deno.test("all parts are measured where none is named, and otherwise those that are, in that order", () => {
  assert.deepEqual(read(), { parts, isQuick: false, isForReadme: false, json: undefined });
  assert.deepEqual(read("etcd", "planes", "--quick")!, {
    parts: ["etcd", "planes"],
    isQuick: true,
    isForReadme: false,
    json: undefined,
  });
});

Deno.test("help is asked for in two ways, and names all parts", () => {
  assert.deepEqual([read("--help"), read("planes", "-h")], [undefined, undefined]);
  assert.match(help(parts), /^Usage: deno task bench .*\n.*planes, etcd;/s);
});

const wrong: readonly (readonly [args: readonly string[], told: string])[] = [
  [["plane"], "Unknown part 'plane': there are planes, etcd"],
  [["planes", "--quik"], "Unknown option '--quik'"],
  [["--quick=1"], "Option '--quick' does not take an argument"],
  [["--json"], "Option '--json <value>' argument missing"],
  [["--json", "--quick"], "Option '--json' argument is ambiguous"],
];

Deno.test("what is wrong with an argument is one sentence", async (t) => {
  for (const [args, told] of wrong) {
    await t.step(args.join(" "), () => {
      assert.throws(() => read(...args), (error) => error instanceof UsageError && error.message === told);
    });
  }
});

Deno.test("a file that cannot be written is told before the work, and one that can keeps what it has", () => {
  const directory = Deno.makeTempDirSync({ prefix: "flan-usage-" });
  try {
    const told = (error: unknown) =>
      error instanceof UsageError && /^Cannot write .*none\/x: No such/.test(error.message);
    assert.throws(() => read("--json", `${directory}/none/x`), told);
    const file = `${directory}/figures.json`;
    assert.equal(read("--json", file)!.json, file);
    Deno.writeTextFileSync(file, "{}");
    assert.equal(writable(file), file);
    assert.equal(Deno.readTextFileSync(file), "{}");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

for (const program of ["bench/bench.ts", "soak/soak.ts"]) {
  Deno.test(`${program} ends with 2 and one line for a wrong argument, and with 0 for help`, async () => {
    const file = new URL(`../${program}`, import.meta.url).pathname;
    const run = async (arg: string) => {
      const args = ["run", "--quiet", "--allow-all", "--no-check", file, arg];
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return [code, text(stdout), text(stderr)] as const;
    };
    assert.deepEqual(await run("--wrong"), [2, "", "Unknown option '--wrong'\n"]);
    const [code, stdout, stderr] = await run("--help");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^Usage: deno task /);
  });
}
