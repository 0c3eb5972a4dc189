/** How help is laid out; what it says is in fixtures/help. */
import assert from "node:assert/strict";
import { Argument, Command, Option } from "../../../cmd/cli/command.ts";
import { helpText } from "../../../cmd/cli/help.ts";

const get = new Command("get", "One of them, or the one that is this host's own")
  .addArgument(new Argument("[key]", "which"))
  .addOption(new Option("-o, --output <format>", "how to print it, in one of several formats"))
  .addOption(new Option("--detached", "nobody's business").hideHelp())
  .addAfter("Example:\n  flan get");
const flan = new Command("flan", "A network").addCommand(get).addCommand(new Command("down", "Leave"));

Deno.test("help names the command with those above it, and keeps what is said in one column", () => {
  assert.equal(
    helpText([flan, get], 50),
    `Usage: flan get [options] [key]

One of them, or the one that is this host's own

Arguments:
  key                    which

Options:
  -o, --output <format>  how to print it, in one
                         of several formats
  -h, --help             display help for command

Example:
  flan get
`,
  );
});

Deno.test("the program's help lists its commands, and has the version", () => {
  assert.equal(
    helpText([flan], 80),
    `Usage: flan [options] [command]

A network

Options:
  -V, --version        output the version number
  -h, --help           display help for command

Commands:
  get [options] [key]  One of them, or the one that is this host's own
  down                 Leave
`,
  );
});

Deno.test("a terminal that is too narrow for the column breaks the lines itself", () => {
  const text = helpText([flan, get], 40);
  assert.match(text, /how to print it, in one of several formats\n/);
  assert.match(text, /^One of them, or the one that is this\nhost's own$/m);
});
