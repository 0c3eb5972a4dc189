/** The bench writes its own block of the README and no other. */
import assert from "node:assert/strict";
import { benchesIn, benchText, withBench } from "./readme.ts";

const text = benchText("commands", { machine: "machine: none", table: "A  B" });
const block = (part: string, said: string) => `<!-- bench: ${part} -->\n\n\`\`\`\n${said}\`\`\`\n`;
const readme = `# x\n\n${block("commands", "old\n")}\ny\n\n${block("planes", "other\n")}`;

Deno.test("bench: a part's block of the README gets what it printed, and the others stay", () => {
  const written = withBench(readme, { part: "commands", text });
  assert.equal(written, readme.replace("old\n", text));
  assert.deepEqual([...benchesIn(written)], [["commands", text], ["planes", "other\n"]]);
  assert.equal(text, "$ deno task bench commands\nmachine: none\n\nA  B\n");
});

Deno.test("bench: a part without a block is said to have none", () => {
  assert.throws(() => withBench(readme, { part: "etcd", text }), /no block <!-- bench: etcd -->/);
});
