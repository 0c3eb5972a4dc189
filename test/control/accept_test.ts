/** The accept loop when `accept` itself fails, which no test can bring about on a real socket at will. */
import assert from "node:assert/strict";
import { acceptAll } from "../../control/accept.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { KeptLog } from "../lib/reconciling.ts";

const full = () => new Error("Too many open files (os error 24)");

/** A listener that gives these answers in turn, and then none until it is closed. */
function listener(answers: readonly (Error | string)[]) {
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});
  const queue = [...answers];
  return {
    accept(): Promise<{ name: string; close(): void }> {
      const next = queue.shift();
      if (next === undefined) return closed.promise;
      return typeof next === "string" ? Promise.resolve({ name: next, close() {} }) : Promise.reject(next);
    },
    close: () => closed.reject(new Deno.errors.BadResource("closed")),
  };
}

Deno.test("accept: a failing accept is logged once, tried again ever more slowly, and ends no agent", async () => {
  const [clock, log, stopping] = [new FakeClock(), new KeptLog(), new AbortController()];
  const source = listener([full(), full(), full(), "first", full(), "second"]);
  const served: [string, number][] = [];
  const all = acceptAll(source, {
    serve: (conn) => Promise.resolve(void served.push([conn.name, clock.monotonic()])),
    clock,
    log,
    signal: stopping.signal,
  });
  while (served.length < 2) {
    await clock.untilSleeping();
    await clock.advance(10_000);
  }
  assert.deepEqual(served.map(([name]) => name), ["first", "second"]);
  const failed = "Cannot accept a connection for now: Too many open files (os error 24)";
  const again = "Connections are accepted again";
  assert.deepEqual(log.messages, [failed, again, failed, again]);
  assert.equal(served[0]![1], 100 + 200 + 400);
  stopping.abort();
  source.close();
  await all;
});

Deno.test("accept: an agent that stops waits for no pause", async () => {
  const [clock, stopping] = [new FakeClock(), new AbortController()];
  const all = acceptAll(listener([full()]), {
    serve: () => Promise.resolve(),
    clock,
    log: new KeptLog(),
    signal: stopping.signal,
  });
  await clock.untilSleeping();
  stopping.abort();
  await all;
});
