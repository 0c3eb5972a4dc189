/** The end of a program must be known from an end that it was told. */
import assert from "node:assert/strict";
import { LineLog } from "../lib/line_log.ts";
import { type Process, Runner } from "./runner.ts";

const text = (lines: string) => new Blob([lines]).stream();

/** A program that has said this and ends when `end` is resolved, or with 0 where it is told to. */
function program(said: string) {
  const end = Promise.withResolvers<Deno.CommandStatus>();
  const status = (code: number): Deno.CommandStatus => ({ success: code === 0, code, signal: null });
  const signals: Deno.Signal[] = [];
  const process: Process = {
    out: new LineLog("stdout", text("one\ntwo\n")),
    err: new LineLog("stderr", text(said)),
    ended: () => end.promise,
    end(signal = "SIGKILL") {
      signals.push(signal);
      end.resolve(status(0));
      return end.promise;
    },
  };
  const runner = new Runner(process, { name: "flow 1 to 2", ends: [1, 2] });
  return { runner, process, signals, exit: (code: number) => end.resolve(status(code)) };
}

Deno.test("a program that is told to end has not ended by itself", async () => {
  const { runner, process, signals } = program("");
  await Promise.all([process.out.closed, process.err.closed]);
  const { begun, ended, ...told } = await runner.end("SIGTERM");
  assert.deepEqual(told, {
    name: "flow 1 to 2",
    ends: [1, 2],
    lines: ["one", "two"],
    code: 0,
    early: false,
    said: "",
  });
  assert.ok(begun <= ended && ended <= Date.now());
  assert.deepEqual(signals, ["SIGTERM"]);
});

Deno.test("a program that ends before it is told to has ended early, with its code and its last words", async () => {
  const { runner, process, exit } = program("first\nlast\n");
  await process.err.closed;
  exit(3);
  await process.ended();
  const { early, code, said } = await runner.end("SIGTERM");
  assert.deepEqual([early, code, said], [true, 3, "last"]);
});
