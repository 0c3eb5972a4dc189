/** flan's programs as one file each: that they run as the sources do, and that a defect can be found in them. */
import assert from "node:assert/strict";
import { rootFolder } from "../../../net/own_files.ts";
import { bundle, licencesOf } from "../../../tasks/packaging/bundle.ts";

/** The line of `file` that has `text`. */
function lineOf(file: string, text: string): number {
  return Deno.readTextFileSync(rootFolder + file).split("\n").findIndex((line) => line.includes(text)) + 1;
}

/** What the maps name, below the root that they are installed in. Their text is not kept. */
function sourcesOf(folder: string, files: readonly string[]): string[] {
  return files.filter((file) => file.endsWith(".map")).flatMap((map) => {
    const { sources, sourcesContent } = JSON.parse(Deno.readTextFileSync(`${folder}/${map}`));
    assert.equal(sourcesContent, undefined);
    return (sources as string[]).map((source) => new URL(source, `file:///${map}`).pathname.slice(1));
  });
}

async function deno(args: string[]): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } })
    .output();
  const text = new TextDecoder();
  return { stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("bundle: the programs run as their sources do, and a defect can be found in them", async (t) => {
  const folder = Deno.makeTempDirSync({ prefix: "flan-bundle-" });
  try {
    const { files } = await bundle(folder);

    await t.step("a defect shows the module and the line that it is in", async () => {
      const script = `const { main } = await import(Deno.args[0]); await main();`;
      const { stderr } = await deno(["eval", script, `file://${folder}/bundle/main.js`]);
      const line = lineOf("main.ts", "args.find(");
      assert.ok(stderr.includes(`file://${folder}/main.ts:${line}:`), stderr);
    });

    await t.step(
      "it says what the sources say, also of a command that they load when it is asked for",
      async () => {
        for (
          const args of [["--help"], ["schema", "status"], ["config", "show", "--config", "/no/such.yaml"]]
        ) {
          const [one, other] = await Promise.all(
            [`${folder}/bundle/main.js`, `${rootFolder}main.ts`].map((main) =>
              deno(["run", "--quiet", "--allow-all", main, ...args])
            ),
          );
          assert.deepEqual(one, other);
        }
      },
    );

    await t.step("whatever the sources give back at the end of a block is given back", () => {
      const declared = (texts: readonly string[]) =>
        texts.flatMap((text) => text.match(/^ *(await )?using \w+ =/gm) ?? []).length;
      const own = new Set(sourcesOf(folder, files).filter((name) => !name.startsWith("npm/")));
      const wanted = declared([...own].map((name) => Deno.readTextFileSync(rootFolder + name)));
      assert.ok(wanted > 0);
      const made = files.filter((file) => file.endsWith(".js"));
      assert.equal(declared(made.map((file) => Deno.readTextFileSync(`${folder}/${file}`))), wanted);
    });

    await t.step(
      "maps name flan's modules and the packages', and nothing of where they were made",
      () => {
        const names = sourcesOf(folder, files);
        assert.ok(names.includes("cmd/up.ts") && names.includes("cmd/demo/probe.ts"));
        const packages = names.filter((name) => name.startsWith("npm/"));
        assert.ok(packages.some((name) => name.startsWith("npm/@logtape/logtape/")));
        for (const name of names.filter((one) => !packages.includes(one))) {
          assert.ok(Deno.statSync(rootFolder + name).isFile);
        }
      },
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("bundle: where it cannot be written that is said in Deno's words, and what to run", async () => {
  await assert.rejects(bundle("/proc/nowhere"), {
    message: /^Cannot bundle flan's programs: .*/s,
    hint: "deno task setup install",
  });
});

Deno.test("bundle: a package without a licence is refused by name", () => {
  const folder = Deno.makeTempDirSync({ prefix: "flan-bundle-" });
  try {
    const packages = ["@a/free", "bare"].map((name) => `${folder}/npm/registry.example/${name}/1.0.0`);
    for (const path of packages) Deno.mkdirSync(path, { recursive: true });
    Deno.writeTextFileSync(`${packages[0]}/LICENSE.md`, "");
    const modules = packages.map((path) => `${path}/mod.js`);
    assert.deepEqual(licencesOf([modules[0]!, "/p/main.ts"]), [
      { path: "licences/@a/free/LICENSE.md", file: `${packages[0]}/LICENSE.md` },
    ]);
    assert.throws(() => licencesOf(modules), { code: "failed", message: /^Cannot bundle package bare: / });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
