/** A second `up` beside an agent that runs. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { writeJoined } from "../../agent/joined.ts";
import { loadSettings } from "../../cmd/config.ts";
import { alreadyRunning } from "../../cmd/running.ts";
import { silent } from "../../net/log.ts";

Deno.test("the store that a second up asks for is not shown with a password", async () => {
  const dir = await Deno.makeTempDir({ prefix: "flan-running-" });
  try {
    await writeJoined(dir, { pid: 1, settings: { store: "file:/a.json" }, found: {} });
    const flags = { runDir: dir, store: "http://me:s3cret@h/x.json" };
    const context = {
      ...loadSettings(flags, { follows: "nothing", file: undefined }),
      clock: systemClock,
      log: silent,
    };
    assert.throws(() => alreadyRunning(context, { format: { kind: "table" }, running: {} }), {
      code: "invalid",
      hint: "leave the setting out, or leave that network first: flan down",
      message:
        "An agent is running already (process 1) with store file:/a.json, but http://…@h/x.json is asked for",
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("another setting of this host is had by ending the agent, and the network stays meanwhile", async () => {
  const dir = await Deno.makeTempDir({ prefix: "flan-running-" });
  try {
    await writeJoined(dir, { pid: 7, settings: { runDir: dir, ipMasq: "true", listen: "-" }, found: {} });
    const flags = { runDir: dir, listen: "127.0.0.1:1" };
    const context = {
      ...loadSettings(flags, { follows: "nothing", file: undefined }),
      clock: systemClock,
      log: silent,
    };
    assert.throws(() => alreadyRunning(context, { format: { kind: "table" }, running: {} }), {
      message: "An agent is running already (process 7) without listen, but 127.0.0.1:1 is asked for",
      hint: "leave the setting out, or end that agent, which costs no packet, and start it with it: kill 7",
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
