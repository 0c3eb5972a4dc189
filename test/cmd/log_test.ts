import assert from "node:assert/strict";
import { openLog } from "../../cmd/log.ts";

Deno.test("braces in a message stand in the log as they are, however they are paired", () => {
  const dir = Deno.makeTempDirSync();
  const logFile = `${dir}/flan.log`;
  try {
    const log = openLog({ logFile, logFormat: "text", quiet: false, verbose: false });
    const messages = ["a } alone", "a { alone", 'a {"pair": {"in": 1}}', "{{two}}"];
    for (const message of messages) log.log("info", message);
    const lines = Deno.readTextFileSync(logFile).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => line.replace(/^\S+ info /, "")), messages);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
