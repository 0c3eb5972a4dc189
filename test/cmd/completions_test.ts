/** The completion scripts as text: what the shells read is quoted, and they know what stands where. */
import assert from "node:assert/strict";
import { type CommandNode, placesOf, valuedFlags } from "../../cmd/command_tree.ts";
import { bashScript } from "../../cmd/completions/bash.ts";
import { fishScript } from "../../cmd/completions/fish.ts";
import { zshScript } from "../../cmd/completions/zsh.ts";
import { commandTree } from "../../cmd/command_tree.ts";
import { commands } from "../../main.ts";

const flag = (name: string, argument: string, values: readonly string[] = []) => ({
  name,
  short: name === "--kind" ? "-k" : undefined,
  argument,
  summary: "a 'flag'",
  values,
});
const leaf = (name: string, flags: CommandNode["flags"]): CommandNode => ({
  name,
  summary: `it's ${name}: so`,
  args: [],
  flags,
  after: "",
  children: [],
});
const got = leaf("get", [flag("--json", "")]);
const tree = [
  leaf("up", [flag("--store", "<url>"), flag("--kind", "<kind>", ["vxlan", "udp"])]),
  { ...leaf("lease", got.flags), children: [got] },
];

Deno.test("completions quote what the shell would read, and name every command and flag", () => {
  const [bash, zsh, fish] = [bashScript(tree), zshScript(tree), fishScript(tree)];
  assert.match(bash, /"up "\*\) words="" flags="--store --kind" ;;/);
  assert.match(bash, /"lease "\) words="get" flags="--json" ;;/);
  assert.match(bash, /^ {4}"up "\*" -k"\|"up "\*" --kind"\) words="vxlan udp" ;;$/m);
  assert.match(bash, /^ {6}--store\|-k\|--kind\) flag=/m);
  assert.match(zsh, /'up:it'\\''s up: so'/);
  assert.match(zsh, /"lease get"\) entries=\(\) flags=\('--json:a '\\''flag'\\'''\) ;;/);
  assert.match(zsh, /^ {4}"up "\*" -k"\|"up "\*" --kind"\) entries=\(vxlan udp\) ;;$/m);
  assert.match(fish, /-a up -d 'it\\'s up: so'/);
  assert.match(fish, /-l store -d 'a \\'flag\\'' -r$/m);
  assert.match(fish, /-s k -l kind -d 'a \\'flag\\'' -r -f -a 'vxlan udp'$/m);
});

Deno.test("a group stands for its first command until a word names another", () => {
  const places = placesOf(tree).map(({ first, second, commands, flags }) =>
    [first, second, commands.map(({ name }) => name), flags.map(({ name }) => name)] as const
  );
  assert.deepEqual(places, [
    ["", "", ["up", "lease"], ["--help", "--version"]],
    ["up", undefined, [], ["--store", "--kind"]],
    ["lease", "", ["get"], ["--json"]],
    ["lease", "get", [], ["--json"]],
  ]);
});

Deno.test("no flag takes a value with one command and none with another: the scripts skip its value anywhere", async () => {
  const all = await commandTree(commands);
  const valued = valuedFlags(all);
  const switches = placesOf(all).flatMap(({ flags }) => flags).filter(({ argument }) => argument === "");
  assert.deepEqual(
    switches.filter(({ name, short }) => valued.includes(name) || valued.includes(short ?? "")),
    [],
  );
  assert.ok(valued.includes("--store") && valued.includes("-o"));
});
