import assert from "node:assert/strict";
import { openLog } from "../../cmd/log.ts";

Deno.test("braces in a message stand in the log as they are, however they are paired", async () => {
  const dir = Deno.makeTempDirSync();
  const logFile = `${dir}/flan.log`;
  try {
    const log = openLog({ logFile, logFormat: "text", quiet: false, verbose: false });
    const messages = ["a } alone", "a { alone", 'a {"pair": {"in": 1}}', "{{two}}"];
    for (const message of messages) log.log("info", message);
    await log.written();
    const lines = Deno.readTextFileSync(logFile).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => line.replace(/^\S+ info /, "")), messages);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("records that are logged before the writer is there come first, and none is lost", async () => {
  const dir = Deno.makeTempDirSync();
  const logFile = `${dir}/flan.log`;
  try {
    const log = openLog({ logFile, logFormat: "text", quiet: false, verbose: false });
    log.log("info", "one");
    log.log("debug", "not asked for");
    log.log("warning", "two", { code: "store" });
    await log.written();
    log.log("info", "three");
    const lines = Deno.readTextFileSync(logFile).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => line.replace(/^\S+ /, "")), [
      "info one",
      "warning two code=store",
      "info three",
    ]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
