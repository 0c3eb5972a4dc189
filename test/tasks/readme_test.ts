/** How outputs get into the README, and what of them may differ. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { CommandNode } from "../../cmd/command_tree.ts";
import { alike, blocksIn, blockText, withTexts } from "../../tasks/readme/blocks.ts";
import { type Place, textsOf } from "../../tasks/readme/outputs.ts";
import { simpleCommands, whyUnknown } from "../lib/command_line.ts";

const readme = `# flan

<!-- output: vxlan -->

\`\`\`
$ flan routes
old
$ flan status
\`\`\`

\`\`\`
$ not marked
\`\`\`

<!-- output: host-gw; first: ip link set x down -->
\`\`\`
$ flan routes diff
\`\`\`
`;

Deno.test("a marked block says where it runs, what comes before, and its commands; others are left alone", () => {
  const blocks = blocksIn(readme);
  assert.deepEqual(blocks.map(({ backend, first, commands }) => [backend, first, commands]), [
    ["vxlan", undefined, ["flan routes", "flan status"]],
    ["host-gw", "ip link set x down", ["flan routes diff"]],
  ]);
  assert.equal(withTexts(readme, blocks.map(({ text }) => text)), readme);
  const text = blockText([{ command: "flan routes", output: "$& new\n" }, {
    command: "flan status",
    output: "x\n",
  }]);
  const changed = withTexts(readme, [text, "y\n"]);
  assert.equal(
    changed,
    readme.replace("$ flan routes\nold\n$ flan status\n", () => text).replace("$ flan routes diff", "y"),
  );
  assert.throws(() => blocksIn(readme.replace("$ flan routes diff", "nothing")), /No line begins with "\$ "/);
});

Deno.test("times, spans, processes, revisions and counters may differ; states, subnets and names may not", () => {
  const status =
    "lease  10.244.1.0/24, until 2026-11-23T07:07:32Z, revision 4, 1s ago\nagent  process 12, drift 0\n";
  const later =
    "lease  10.244.1.0/24, until 2026-12-01T00:00:00.5Z, revision 12, 31s ago\nagent  process 99999, drift 0\n";
  assert.ok(alike(status, later));
  assert.ok(!alike(status, later.replace("drift 0", "drift 1")));
  assert.ok(!alike(status, later.replace("10.244.1", "10.244.2")));
  assert.ok(alike("a    24h00m  n\n", "a  23h59m  n\n"));
  assert.ok(alike("in_packets   200\n", "in_packets   9\nout_drop_no_route  1\n"));
  assert.ok(!alike("in_packets   200\n", "in_bytes   200\n"));
});

const flag = { name: "--output", short: "-o", argument: "<format>", summary: "", values: [] };
const list: CommandNode = { name: "list", summary: "", args: [], flags: [flag], after: "", children: [] };
const tree: CommandNode[] = [
  {
    ...list,
    name: "lease",
    children: [list, { ...list, name: "get", args: [{ name: "[s]", summary: "", values: [] }] }],
  },
  { ...list, name: "up", flags: [{ ...flag, name: "--once", short: undefined, argument: "" }] },
];

Deno.test("a script's simple commands are found in pipes, lists and substitutions, without comments", () => {
  const script =
    "A=$(flan lease get -o value=x)  # why; not\nflan up \\\n    --once; X=1 ip link | flan lease\n# all\n";
  assert.deepEqual(simpleCommands(script), [
    ["A="],
    ["flan", "lease", "get", "-o", "value=x"],
    ["flan", "up", "--once"],
    ["ip", "link"],
    ["flan", "lease"],
  ]);
});

const lines: readonly [line: string, why: string | undefined][] = [
  ["lease get 10.5.1.0/24 -o json", undefined],
  ["lease --output=json", undefined],
  ["up --once", undefined],
  ["--help", undefined],
  ["laese", "no command laese"],
  ["lease got", "lease takes no argument got"],
  ["lease get a b", "get takes no argument b"],
  ["lease get -o", "-o of get needs a value"],
  ["up --twice", "up has no flag --twice"],
  ["up --once=1", "--once of up takes no value"],
];

for (const [line, why] of lines) {
  Deno.test(`flan ${line}: ${why ?? "is known"}`, () => {
    assert.equal(whyUnknown(line.split(" "), tree), why);
  });
}

Deno.test("hosts that cannot be made for one backend leave none behind that are being made for another", async () => {
  const { promise: made, resolve: make } = Promise.withResolvers<void>();
  const gone: string[] = [];
  const create = async (backend: string): Promise<Place> => {
    if (backend === "host-gw") throw new Error("it cannot be made");
    await made;
    return {
      output: () => Promise.resolve(""),
      [Symbol.asyncDispose]: () => Promise.resolve(void gone.push(backend)),
    };
  };
  const texts = textsOf(blocksIn(readme), create);
  const rejected = assert.rejects(texts, /it cannot be made/).then(() => assert.deepEqual(gone, ["vxlan"]));
  await systemClock.turn();
  make();
  await rejected;
});
