/** flan's programs as one file each: that they run as the sources do, and that a defect can be found in them. */
import assert from "node:assert/strict";
import { rootFolder } from "../../../net/own_files.ts";
import { type Bundle, bundle } from "../../../tasks/packaging/bundle.ts";

let made: Promise<Bundle & Disposable & { readonly folder: string }> | undefined;

/** Made once, for the tests of this file; the last one takes it away. */
function bundleHere() {
  return made ??= (async () => {
    const folder = Deno.makeTempDirSync({ prefix: "flan-bundle-" });
    const remove = () => Deno.removeSync(folder, { recursive: true });
    return { ...await bundle(folder), folder, [Symbol.dispose]: remove };
  })();
}

/** The line of `file` that has `text`. */
function lineOf(file: string, text: string): number {
  return Deno.readTextFileSync(rootFolder + file).split("\n").findIndex((line) => line.includes(text)) + 1;
}

async function deno(args: string[]): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } })
    .output();
  const text = new TextDecoder();
  return { stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("bundle: a defect shows the module and the line that it is in", async () => {
  const { folder } = await bundleHere();
  const script = `const { main } = await import(Deno.args[0]); await main();`;
  const { stderr } = await deno(["eval", script, `file://${folder}/bundle/main.js`]);
  const line = lineOf("main.ts", "args.find(");
  assert.ok(stderr.includes(`file://${folder}/main.ts:${line}:`), stderr);
});

Deno.test("bundle: it says what the sources say, also of a command that they load when it is asked for", async () => {
  const { folder } = await bundleHere();
  for (const args of [["--help"], ["schema", "status"], ["config", "show", "--config", "/no/such.yaml"]]) {
    const [one, other] = await Promise.all(
      [`${folder}/bundle/main.js`, `${rootFolder}main.ts`].map((main) =>
        deno(["run", "--quiet", "--allow-all", main, ...args])
      ),
    );
    assert.deepEqual(one, other);
  }
});

Deno.test("bundle: maps name flan's modules and the packages', and nothing of where they were made", async () => {
  const { folder, files } = await bundleHere();
  const names = files.filter((file) => file.endsWith(".map")).flatMap((map) => {
    const { sources, sourcesContent } = JSON.parse(Deno.readTextFileSync(`${folder}/${map}`));
    assert.equal(sourcesContent, undefined);
    return (sources as string[]).map((source) => new URL(source, `file:///p/${map}`).pathname);
  });
  assert.ok(names.includes("/p/cmd/up.ts") && names.includes("/p/cmd/demo/probe.ts"));
  const packages = names.filter((name) => name.startsWith("/p/npm/"));
  assert.ok(packages.some((name) => name.startsWith("/p/npm/@logtape/logtape/")));
  for (const name of names.filter((one) => !packages.includes(one))) {
    assert.ok(Deno.statSync(rootFolder + name.slice("/p/".length)).isFile);
  }
});

Deno.test("bundle: where it cannot be written that is said in Deno's words, and what to run", async () => {
  await assert.rejects(bundle("/proc/nowhere"), {
    message: /^Cannot bundle flan's programs: .*/s,
    hint: "deno task setup install",
  });
});

Deno.test("bundle: it is taken away again", async () => {
  (await bundleHere())[Symbol.dispose]();
});
