/** The manual page in the programs that show it. */
import assert from "node:assert/strict";
import { commandTree } from "../../cmd/command_tree.ts";
import { environmentName, settingKeys } from "../../cmd/settings.ts";
import { commands } from "../../main.ts";
import { Sandbox } from "./sandbox.ts";

function installed(...argv: readonly [string, ...string[]]): boolean {
  const [program, ...args] = argv;
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** What a program says of the page, and what it makes of it. */
async function shown(argv: readonly [string, ...string[]]): Promise<{ text: string; complaints: string }> {
  using sandbox = new Sandbox();
  const page = await sandbox.flan(["man"], { env: { FLAN_TYPO: "1" } });
  assert.deepEqual([page.code, page.stderr], [0, ""]);
  const [program, ...args] = argv;
  const { stdout, stderr } = await new Deno.Command(program, {
    args: [...args, sandbox.write("flan.8", page.stdout)],
    env: { MANWIDTH: "100", LC_ALL: "C.UTF-8", MANPAGER: "cat", MAN_KEEP_FORMATTING: "" },
  }).output();
  const decoder = new TextDecoder();
  return { text: decoder.decode(stdout), complaints: decoder.decode(stderr) };
}

const withMan = installed("man", "--version");
Deno.test({
  name: `man shows the page without a warning, and every command, flag and variable in it${
    withMan ? "" : " (needs man)"
  }`,
  ignore: !withMan,
  async fn() {
    const { text, complaints } = await shown([
      "man",
      "--warnings",
      "--encoding=UTF-8",
      "--no-hyphenation",
      "-l",
    ]);
    assert.equal(complaints, "");
    const words = text.replace(/\s+/g, " ");
    for (const { name, children, flags } of await commandTree(commands)) {
      assert.ok(words.includes(` flan ${name} `), name);
      for (const child of children) assert.ok(words.includes(` flan ${name} ${child.name} `), child.name);
      const all = [...flags, ...children.flatMap((child) => child.flags)].filter((one) =>
        one.name !== "--help"
      );
      for (const flag of all) assert.match(words, new RegExp(`[ [,]${flag.name}[ \\],.]`));
    }
    for (const key of settingKeys) assert.ok(words.includes(environmentName(key)), key);
    assert.match(text, /^EXIT STATUS\n +0 +done, or yes$/m);
  },
});

const withMandoc = installed("which", "mandoc");
Deno.test({
  name: `mandoc has nothing to say against the page${withMandoc ? "" : " (needs mandoc)"}`,
  ignore: !withMandoc,
  async fn() {
    const { text, complaints } = await shown(["mandoc", "-T", "lint", "-W", "warning"]);
    assert.deepEqual([text, complaints], ["", ""]);
  },
});
