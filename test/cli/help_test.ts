/** Help and completions: what is typed must be guessable, on 80 columns. */
import assert from "node:assert/strict";
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
  "demo",
  "completions",
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

/** What the shell offers after these words; the last is the one being typed. */
async function bashOffers(script: string, words: readonly string[]): Promise<string[]> {
  const ask =
    `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _flan; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["--norc", "-euo", "pipefail", "-c", ask, "bash", script, ...words],
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim().split("\n").filter(Boolean);
}

Deno.test({
  name: "bash completes commands, their subcommands and their flags",
  ignore: !installed("bash"),
  async fn() {
    using sandbox = new Sandbox();
    const file = sandbox.write("flan.bash", (await sandbox.flan(["completions", "bash"])).stdout);
    assert.deepEqual(await bashOffers(file, ["flan", "st"]), ["status", "store"]);
    assert.deepEqual(await bashOffers(file, ["flan", "lease", "re"]), [
      "renew",
      "release",
      "reserve",
      "revoke",
    ]);
    assert.deepEqual(await bashOffers(file, ["flan", "up", "--backend"]), ["--backend", "--backend-option"]);
    assert.deepEqual(await bashOffers(file, ["flan", "up", "--backend", ""]), ["vxlan", "udp", "host-gw"]);
    assert.deepEqual(await bashOffers(file, ["flan", "demo", "--backend", "u"]), ["udp"]);
    assert.deepEqual(await bashOffers(file, ["flan", "up", "--log-format", "j"]), ["json"]);
    assert.deepEqual(await bashOffers(file, ["flan", "lease", "acquire", "--sub"]), ["--subnet"]);
    assert.deepEqual(await bashOffers(file, ["flan", "routes", "--hel"]), ["--help"]);
    // A group takes the flags of the command that it is without a name.
    assert.deepEqual(await bashOffers(file, ["flan", "routes", "--out"]), ["--output"]);
    assert.deepEqual(await bashOffers(file, ["flan", "nonsense", "x"]), []);
  },
});

for (const shell of ["zsh", "fish"]) {
  Deno.test({
    name: `${shell} takes its completions without a complaint${installed(shell) ? "" : ` (needs ${shell})`}`,
    ignore: !installed(shell),
    async fn() {
      using sandbox = new Sandbox();
      const file = sandbox.write(`flan.${shell}`, (await sandbox.flan(["completions", shell])).stdout);
      const { success, stderr } = await new Deno.Command(shell, { args: ["-n", file] }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    },
  });
}

Deno.test("completions come even where a setting is wrong, because a shell's start must not fail", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["completions", "fish"], { env: { FLAN_TYPO: "1" } });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^complete -c flan /);
});

function installed(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
