/** `deno task build`: when it compiles, what it leaves, and what it says where it cannot. */
import assert from "node:assert/strict";
import { build } from "../../tasks/build.ts";
import { variants } from "../../tasks/variants.ts";

const root = decodeURIComponent(new URL(import.meta.resolve("../../")).pathname);

/** A project of its own, with one small source, and its removal. */
async function project(): Promise<{ path: string; source: string } & AsyncDisposable> {
  const path = `${await Deno.makeTempDir()}/`;
  await Deno.mkdir(`${path}ffi/proxy`, { recursive: true });
  const source = `${path}ffi/proxy/one.c`;
  await Deno.writeTextFile(`${path}ffi/proxy/one.h`, "int one(void);\n");
  await Deno.writeTextFile(source, '#include "one.h"\nint one(void)\n{\n    return 1;\n}\n');
  return { path, source, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const inode = async (path: string) => (await Deno.stat(path)).ino;

Deno.test("build: compiles once, and again where a source or a header has changed", async () => {
  await using made = await project();
  const first = await build("library", made.path);
  assert.match(first.told, /^compiled ffi\/proxy\/build\/\w+\/libflan_proxy\.so with \S+ in \d+\.\d s$/);
  assert.match((await build("library", made.path)).told, /libflan_proxy\.so is up to date$/);
  await Deno.writeTextFile(`${made.path}ffi/proxy/one.h`, "int one(void); /* another */\n");
  assert.match((await build("library", made.path)).told, /^compiled/);
  await Deno.writeTextFile(made.source, '#include "one.h"\nint one(void)\n{\n    return 2;\n}\n');
  assert.match((await build("library", made.path)).told, /^compiled/);
  await Deno.writeTextFile(
    `${made.path}ffi/proxy/two.c`,
    "int two(void);\nint two(void)\n{\n    return 2;\n}\n",
  );
  assert.match((await build("library", made.path)).told, /^compiled/);
});

Deno.test("build: compiles anew where the library is gone or empty", async () => {
  await using made = await project();
  const { path } = await build("library", made.path);
  await Deno.remove(path);
  assert.match((await build("library", made.path)).told, /^compiled/);
  await Deno.writeTextFile(path, "");
  assert.match((await build("library", made.path)).told, /^compiled/);
});

Deno.test("build: a running process keeps the old library, since the new one is another file", async () => {
  await using made = await project();
  const { path } = await build("library", made.path);
  const before = await inode(path);
  using open = await Deno.open(path);
  await Deno.writeTextFile(made.source, '#include "one.h"\nint one(void)\n{\n    return 2;\n}\n');
  await build("library", made.path);
  assert.notEqual(await inode(path), before);
  assert.equal((await open.stat()).ino, before);
});

Deno.test("build: two at once compile once", async () => {
  await using made = await project();
  const both = await Promise.all([build("library", made.path), build("library", made.path)]);
  assert.deepEqual(both.map(({ told }) => told.startsWith("compiled")).sort(), [false, true]);
});

Deno.test("build: what the compiler refuses is told in its words, with exit 1, and leaves the old library", async () => {
  await using made = await project();
  const { path } = await build("library", made.path);
  const before = await inode(path);
  await Deno.writeTextFile(made.source, "int one(void)\n{\n    return nothing;\n}\n");
  await assert.rejects(build("library", made.path), {
    exitCode: 1,
    message: /one\.c:3:\d+: error: .*nothing/,
  });
  assert.equal(await inode(path), before);
  // Warnings are errors, and what was refused is not taken for built the next time.
  await Deno.writeTextFile(made.source, "int one(void)\n{\n    int unused;\n    return 1;\n}\n");
  for (let i = 0; i < 2; i++) {
    await assert.rejects(build("library", made.path), { exitCode: 1, message: /unused/ });
  }
});

async function task(args: readonly string[], env: Record<string, string>) {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", `${root}tasks/build.ts`, ...args],
    env: { NO_COLOR: "1", ...env },
  }).output();
  return { code, lines: new TextDecoder().decode(stderr).trimEnd().split("\n") };
}

Deno.test("build: a missing compiler is one sentence with the packages to install, and exit 5", async () => {
  const none = await task([], { PATH: "/nowhere", CC: "" });
  assert.deepEqual(none, {
    code: 5,
    lines: [
      "build: no C compiler is here (tried cc, gcc, clang), please run: apt-get install gcc libc6-dev",
    ],
  });
  const chosen = await task([], { CC: "no-such-compiler" });
  assert.equal(chosen.code, 5);
  assert.match(chosen.lines.join("\n"), /^build: no C compiler is here \(tried no-such-compiler\)/);
});

Deno.test("build: says in one line what it did, and refuses what it does not know", async () => {
  const { code, lines } = await task([], {});
  assert.deepEqual([code, lines.length], [0, 1]);
  assert.match(lines[0]!, /^build: (compiled )?ffi\/proxy\/build\/\w+\/libflan_proxy\.so /);
  for (const name of ["nonsense", "toString"]) {
    const unknown = await task([name], {});
    assert.deepEqual(unknown.code, 2);
    assert.match(
      unknown.lines.join("\n"),
      new RegExp(`no variant is called ${name}; there are library, test`),
    );
  }
});

Deno.test("build: CC may name a compiler with the program that runs it", async () => {
  const { code, lines } = await task([], { CC: "env no-such-compiler" });
  assert.deepEqual([code, lines.length], [5, 1]);
  assert.equal((await task([], { CC: "env cc" })).code, 0);
});

Deno.test("build: the library shows nothing but its interface, and the tests' one everything", async () => {
  const symbols = async (path: string) => {
    const { stdout } = await new Deno.Command("nm", { args: ["-D", "--defined-only", path] }).output();
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.split(" ").at(-1)!);
  };
  const header = await Deno.readTextFile(`${root}ffi/proxy/flan_proxy.h`);
  const wanted = [...header.matchAll(/^FLAN_API [^(]*?(\w+)\(/gm)].map(([, name]) => name!);
  assert.ok(wanted.length >= 10);
  assert.deepEqual((await symbols((await build("library")).path)).sort(), wanted.sort());
  const shown = await symbols((await build("test")).path);
  for (const name of [...wanted, "packet_check", "split_begin", "shim_split"]) {
    assert.ok(shown.includes(name), name);
  }
});

Deno.test("build: every variant that is built here has a name of its own", () => {
  const outputs = Object.values(variants).map(({ output }) => output);
  if (Deno.build.arch !== "aarch64") assert.equal(new Set(outputs).size, outputs.length);
  for (const output of outputs) assert.ok(output.startsWith("ffi/proxy/build/"), output);
});
