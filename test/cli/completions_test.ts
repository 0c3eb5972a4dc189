/** Completions in the shells that they are for: loaded, and used at a prompt. */
import assert from "node:assert/strict";
import { backendTypes } from "../../backends/types.ts";
import { commands } from "../../main.ts";
import { ShellTerminal } from "../lib/shell_terminal.ts";
import { Sandbox } from "./sandbox.ts";

const links = [...Deno.readDirSync("/sys/class/net")].map(({ name }) => name).sort();

/** What is typed, and the words that its last one may become. */
const lines: readonly [typed: string, offered: readonly string[]][] = [
  ["flan ", [...commands.map(({ name }) => name)].sort()],
  ["flan --v", ["--version"]],
  ["flan st", ["status", "store"]],
  ["flan lease re", ["release", "renew", "reserve", "revoke"]],
  ["flan routes li", ["list"]],
  // routes is a command, and one of proxy.
  ["flan proxy routes --js", ["--json"]],
  ["flan proxy ", ["routes", "run", "stats", "stop"]],
  // A group takes the flags of the command that it is without a name.
  ["flan routes --out", ["--output"]],
  ["flan lease acquire --sub", ["--subnet", "--subnet6"]],
  ["flan up --backend-", ["--backend-option"]],
  // The value of a flag is no command.
  ["flan lease --store list g", ["gc", "get"]],
  ["flan up --backend ", [...backendTypes].sort()],
  ["flan up --backend=vx", ["--backend=vxlan"]],
  ["flan demo --backend vx", ["vxlan"]],
  ["flan up --log-format j", ["json"]],
  ["flan up --tx-checksum o", ["off", "on"]],
  ["flan routes -o ", [
    "commands",
    "dot",
    "json",
    "jsonl",
    "mermaid",
    "svg",
    "table",
    "tsv",
    "value=",
    "wide",
  ]],
  ["flan lease get --output e", ["env"]],
  ["flan up --iface ", links],
  ["flan up --store-ca own", ["own.pem"]],
  ["flan schema routes-d", ["routes-diff"]],
  ["flan completions ", ["bash", "fish", "zsh"]],
  ["flan nonsense x", ["x"]],
];

function installed(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

async function withScript(shell: string): Promise<Sandbox & { readonly script: string }> {
  const sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["completions", shell]);
  assert.deepEqual([code, stderr], [0, ""]);
  sandbox.write("own.pem", "");
  return Object.assign(sandbox, { script: sandbox.write(`.flan.${shell}`, stdout) });
}

/** Without bash's and zsh's space after the only word that fits. */
const words = (typed: string) => typed.replace(/^flan /, "").replace(/\S*$/, "");

for (const shell of ["bash", "zsh"] as const) {
  const missing = installed(shell) && installed("script") ? "" : ` (needs ${shell} and script)`;
  Deno.test({
    name: `${shell} completes commands, flags and their values at a prompt${missing}`,
    ignore: missing !== "",
    async fn() {
      using sandbox = await withScript(shell);
      await using terminal = new ShellTerminal(shell, sandbox);
      for (const [typed, offered] of lines) {
        assert.equal(await terminal.offers(typed), `${words(typed)}${offered.join(" ")}`, typed);
      }
    },
  });
}

Deno.test({
  name: `fish completes commands, flags and their values${installed("fish") ? "" : " (needs fish)"}`,
  ignore: !installed("fish"),
  async fn() {
    using sandbox = await withScript("fish");
    const ask = 'source $argv[1]; for line in $argv[2..]; echo "? $line"; complete -C "$line"; end';
    const { stdout, stderr } = await new Deno.Command("fish", {
      args: ["--no-config", "-c", ask, sandbox.script, ...lines.map(([typed]) => typed)],
      cwd: sandbox.dir,
      env: { HOME: sandbox.dir },
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    const answers = new TextDecoder().decode(stdout).split(/^\? /m).slice(1).map((answer) => {
      const [typed, ...offered] = answer.trimEnd().split("\n");
      return [typed, offered.map((line) => line.split("\t")[0])];
    });
    // Where nothing fits it offers nothing.
    const expected = lines.map(([typed, offered]) => [typed.trimEnd(), typed.endsWith(" x") ? [] : offered]);
    assert.deepEqual(answers.map(([typed, offered]) => [String(typed).trimEnd(), offered]), expected);
  },
});

Deno.test("completions come even where a setting is wrong, because a shell's start must not fail", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["completions", "fish"], { env: { FLAN_TYPO: "1" } });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^complete -c flan /m);
});
