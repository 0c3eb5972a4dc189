import assert from "node:assert/strict";
import { runLine } from "../../cmd/cli.ts";
import { leaf } from "../../cmd/leaf.ts";
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

Deno.test("where the writer cannot be loaded no record is lost, nor any that comes later", async () => {
  const dir = Deno.makeTempDirSync();
  const logFile = `${dir}/flan.log`;
  try {
    const gone = () => Promise.reject(new TypeError("Module not found"));
    const log = openLog({ logFile, logFormat: "text", quiet: false, verbose: false }, gone);
    log.log("info", "one", { subnet: "10.1.2.0/24" });
    log.log("debug", "not asked for");
    await log.written();
    log.log("error", "two\u001b[31m");
    assert.deepEqual(Deno.readTextFileSync(logFile).trimEnd().split("\n"), [
      "warning The log cannot be written as the settings ask: Module not found",
      'info one {"subnet":"10.1.2.0/24"}',
      "error two\\u001b[31m",
    ]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("a command that runs until it is stopped has its writer before it begins", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    const written = async (stays: boolean) => {
      const logFile = `${dir}/${stays}.log`;
      let found = "";
      const command = leaf(
        { name: "some", summary: "", stays, settings: ["logFile"], anywhere: true, follows: "nothing" },
        async (code) => void await code,
        ({ context }) => {
          context.log.log("info", "at once");
          found = Deno.readTextFileSync(logFile);
          return Promise.resolve(0);
        },
      );
      await runLine(command, { words: ["--log-file", logFile], version: "" });
      return found;
    };
    assert.match(await written(true), / info at once$/m);
    assert.equal(await written(false), "");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
