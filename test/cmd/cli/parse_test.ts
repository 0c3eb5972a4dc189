/** Command lines: what they mean, and how it is said that they mean nothing. */
import assert from "node:assert/strict";
import { newGroup } from "../../../cmd/cli.ts";
import { Argument, Command, Option } from "../../../cmd/cli/command.ts";
import { parseLine } from "../../../cmd/cli/parse.ts";
import { FlanError } from "../../../net/errors.ts";

const list = () => new Command("list", "x").addOption(new Option("-o, --output <format>", "x"));
const set = new Command("set", "x").addArgument(new Argument("<key>", "x")).addArgument(
  new Argument("[value]", "x"),
);
set.elsewhere = { "--dry-run": "flan show does so" };
const up = new Command("up", "x")
  .addOption(new Option("--mtu <bytes>", "x"))
  .addOption(new Option("--no-masq <cidr>", "x").repeatable())
  .addOption(new Option("--no-forward-rules", "x"))
  .addOption(new Option("-o, --output <format>", "x"))
  .addOption(new Option("--once", "x").conflicts("detach"))
  .addOption(new Option("--dry-run", "x").conflicts(["once", "detach"]))
  .addOption(new Option("--detach", "x"))
  .addOption(new Option("--detached", "x").hideHelp());
const program = new Command("flan", "x")
  .addCommand(up)
  .addCommand(set)
  .addCommand(newGroup({ name: "routes", summary: "x" }, [list(), new Command("diff", "x")]));

/** `run up {"mtu":"1"} a`, `help flan routes`, `version`, or the error with its hint. */
function meaning(line: string): string {
  try {
    const parsed = parseLine(program, line.split(" ").filter(Boolean));
    if (parsed.asks === "version") return "version";
    if (parsed.asks === "help") return ["help", ...parsed.path.map(({ name }) => name)].join(" ");
    return [parsed.command.name, JSON.stringify(parsed.flags), ...parsed.args].join(" ");
  } catch (error) {
    assert.ok(error instanceof FlanError && error.code === "invalid", String(error));
    return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  }
}

const meanings: readonly [line: string, meaning: string][] = [
  ["up", "up {}"],
  ["up --mtu 1400 --once", 'up {"mtu":"1400","once":true}'],
  ["up --mtu=1400", 'up {"mtu":"1400"}'],
  ["up -ojson", 'up {"output":"json"}'],
  ["up -o json", 'up {"output":"json"}'],
  ["up --mtu 1 --mtu 2", 'up {"mtu":"2"}'],
  ["up --mtu -5", 'up {"mtu":"-5"}'],
  ["up --mtu - --once", 'up {"mtu":"-","once":true}'],
  ["up --mtu=--once", 'up {"mtu":"--once"}'],
  [
    "up --mtu --dry-run",
    "Option '--mtu <bytes>' needs a value before '--dry-run' (--mtu=--dry-run where that is the value)",
  ],
  [
    "up -o -x",
    "Option '-o, --output <format>' needs a value before '-x' (--output=-x where that is the value)",
  ],
  [
    "up --no-masq 10.0.0.0/8 --no-masq a --no-forward-rules",
    'up {"noMasq":["10.0.0.0/8","a"],"noForwardRules":true}',
  ],
  ["up --mtu", "Option '--mtu <bytes>' needs a value"],
  ["up --password=secret", "Unknown option '--password'"],
  ["up --once=yes", "Option '--once' takes no value"],
  ["up --masq", "Unknown option '--masq'"],
  ["up --mut 1400", "Unknown option '--mut' (did you mean --mtu?)"],
  ["up -x", "Unknown option '-x'"],
  // flanneld's flags may have one dash: these are no letters one by one, of which one asks for help.
  ["up -mash-here 1", "Unknown option '-mash-here'"],
  ["up -mtu=1400", "Unknown option '-mtu' (did you mean --mtu?)"],
  ["up --once --detach", "Option '--once' cannot be used with option '--detach'"],
  ["up --detach --dry-run", "Option '--dry-run' cannot be used with option '--detach'"],
  ["up --help --nonsense", "help flan up"],
  ["up a b", "Too many arguments for up: it takes 0, and got 2: a, b"],
  ["set", "Missing required argument 'key'"],
  ["set a", "set {} a"],
  ["set a -5", "set {} a -5"],
  ["set a -10", "set {} a -10"],
  ["set a -1.5h", "set {} a -1.5h"],
  ["set a -", "set {} a -"],
  ["set -- --a --help", "set {} --a --help"],
  ["set a b c", "Too many arguments for set: it takes 2, and got 3: a, b, c"],
  ["routes", "list {}"],
  ["routes -o json", 'list {"output":"json"}'],
  ["routes list -o tsv", 'list {"output":"tsv"}'],
  ["routes diff", "diff {}"],
  ["routes diff -o json", "Unknown option '-o'"],
  ["routes dif", 'Unknown command "dif" of flan routes (did you mean diff?)'],
  ["routes x", 'Unknown command "x" of flan routes (one of list, diff)'],
  ["routes -o json diff", "Too many arguments for list: it takes 0, and got 1: diff"],
  ["routes --help", "help flan routes"],
  ["routes x -h", 'Unknown command "x" of flan routes (one of list, diff)'],
  ["routes diff -h", "help flan routes diff"],
  ["--help", "help flan"],
  ["-V", "version"],
  ["routes --version", "version"],
  ["set -- --version", "set {} --version"],
  ["--once up", "Unknown option '--once' (it goes after the command)"],
  ["-o json routes", "Unknown option '-o' (it goes after the command)"],
  ["--detached up", "Unknown option '--detached'"],
  ["--wrong up", "Unknown option '--wrong'"],
  ["set --dry-run", "Unknown option '--dry-run' (flan show does so)"],
  ["uo", "Unknown command 'uo' (did you mean up?)"],
];

for (const [line, expected] of meanings) {
  Deno.test(`command line: flan ${line} is ${expected}`, () => assert.equal(meaning(line), expected));
}

Deno.test("an empty word names no command", () => {
  assert.throws(() => parseLine(program, [""]), { message: "Unknown command ''" });
  assert.throws(() => parseLine(program, ["routes", ""]), { message: 'Unknown command "" of flan routes' });
});

Deno.test("whoever gives too many arguments is told what helps, where the command knows", () => {
  const command = new Command("explain", "x");
  command.excessHint = "say --from";
  const flan = new Command("flan", "x").addCommand(command);
  assert.throws(() => parseLine(flan, ["explain", "a"]), { hint: "say --from" });
});

Deno.test("a flag is written as help shows it, or it is refused when it is declared", () => {
  const { long, short, argument, key } = new Option("-s, --sub-len6 <bits>", "x");
  assert.deepEqual([long, short, argument, key], ["--sub-len6", "-s", "<bits>", "subLen6"]);
  for (const flags of ["-o", "--Output", "output", "--output format", "--output <a> <b>"]) {
    assert.throws(() => new Option(flags, "x"), TypeError, flags);
  }
});
