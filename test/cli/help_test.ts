/** Help and completions: what is typed must be guessable, on 80 columns. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { shellWords } from "../../kernel/commands.ts";
import { assertGolden } from "./golden.ts";
import { inParallel, Sandbox } from "./sandbox.ts";

const commands = [
  "",
  "up",
  "down",
  "status",
  "lease",
  "lease list",
  "lease get",
  "lease acquire",
  "lease renew",
  "lease release",
  "lease reserve",
  "lease unreserve",
  "lease revoke",
  "lease watch",
  "lease gc",
  "lease check",
  "routes",
  "routes list",
  "routes diff",
  "routes explain",
  "routes repair",
  "routes watch",
  "ping",
  "proxy",
  "proxy routes",
  "proxy stats",
  "proxy run",
  "proxy stop",
  "store",
  "store check",
  "store export",
  "store import",
  "store serve",
  "config",
  "config show",
  "config check",
  "config get",
  "config set",
  "doctor",
  "demo",
  "completions",
  "man",
  "schema",
];

const helps = new Map<string, string>();

Deno.test("every command has a help on stdout, which the golden files hold", async () => {
  using sandbox = new Sandbox();
  await inParallel(commands, async (command) => {
    const words = command.split(" ").filter(Boolean);
    const { code, stdout, stderr } = await sandbox.flan([...words, "--help"]);
    assert.deepEqual([code, stderr], [0, ""], command);
    helps.set(command, stdout);
    assertGolden(`help/${["flan", ...words].join("-")}.txt`, stdout);
  });
});

Deno.test("no line of any help is wider than 80 columns, and every option and argument says what it is", () => {
  assert.equal(helps.size, commands.length);
  for (const [command, text] of helps) {
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${command}: ${line}`);
    for (const [, name, rest] of text.matchAll(/^ {2}(-[^\n]*?)(?: {2,}(\S[^\n]*)|)$/gm)) {
      assert.ok(rest !== undefined && rest !== "", `${command} ${name}`);
    }
  }
});

Deno.test("on a narrow terminal a help says the same on more lines, none of which is wider", async () => {
  const columns = 60;
  const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean);
  await inParallel(["", "up", "lease gc"], async (command) => {
    const help = flanCommand([...wordsOf(command), "--help"]).map((word) => shellWords([word])).join(" ");
    const { code, stdout } = await new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", `stty cols ${columns}; ${help}`, "/dev/null"],
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout).replaceAll("\r\n", "\n");
    assert.equal(code, 0, text);
    assert.deepEqual(wordsOf(text), wordsOf(helps.get(command)!), command);
    // A single word is not broken, nor are the examples and sentences after the flags, which the terminal breaks itself.
    const flags = text.slice(0, text.indexOf("\n\n", text.indexOf("-h, --help")));
    const wide = flags.split("\n").filter((line) => line.length > columns && line.trim().includes(" "));
    assert.deepEqual(wide, [], command);
  });
});

Deno.test("the list of commands is that of the table, and every group lists its own", () => {
  const named = (text: string) =>
    [...text.slice(text.indexOf("Commands:")).matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1]!);
  const children = (group: string) =>
    commands.filter((name) => name.startsWith(`${group} `)).map((name) => name.split(" ")[1]!);
  assert.deepEqual(named(helps.get("")!), commands.filter((name) => name !== "" && !name.includes(" ")));
  for (const group of ["lease", "routes", "proxy", "store", "config"]) {
    assert.deepEqual(named(helps.get(group)!), children(group));
  }
});

Deno.test("flan alone, flan help and flan help COMMAND are the same as --help", async () => {
  using sandbox = new Sandbox();
  const asked = [[], ["help"], ["help", "lease", "get"]];
  const said = await inParallel(asked, (args) => sandbox.flan(args));
  assert.deepEqual(said.map((one) => one.stdout), ["", "", "lease get"].map((command) => helps.get(command)));
  assert.deepEqual(said.map((one) => one.code), [0, 0, 0]);
});

Deno.test("flan --version is one line", async () => {
  using sandbox = new Sandbox();
  const { stdout, code } = await sandbox.flan(["--version"]);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(code, 0);
});
