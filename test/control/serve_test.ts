/** A server and who asks it, for what the agent's socket does not need: long lines, long answers, long waits. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { ask } from "../../control/ask.ts";
import { serve, type Service } from "../../control/serve.ts";
import type { Clock } from "../../net/clock.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import { FakeClock } from "../lib/fake_clock.ts";

interface Place {
  readonly path: string;
  readonly stop: () => void;
  ask(
    request: Json,
    options?: { clock?: Clock; within?: number; signal?: AbortSignal },
  ): Promise<Json | undefined>;
}

async function serving(
  { clock = systemClock, ...service }: Pick<Service<Json>, "answer"> & { clock?: Clock },
  work: (place: Place) => Promise<void>,
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-serve-" });
  const path = `${dir}/one.sock`;
  const stopping = new AbortController();
  const parse = (line: unknown) => line as Json;
  const served = serve(path, {
    ...service,
    parse,
    maxRequest: 8 << 20,
    clock,
    log: silent,
    signal: stopping.signal,
  });
  try {
    await work({
      path,
      stop: () => stopping.abort(),
      ask: (request, options = {}) =>
        ask(path, { request, who: "the server", clock: systemClock, ...options }),
    });
  } finally {
    stopping.abort();
    await served;
    Deno.removeSync(dir, { recursive: true });
  }
}

const echo = (request: Json) => Promise.resolve(request);

Deno.test("serve: requests and answers of megabytes come through whole, several at once", async () => {
  await serving({ answer: echo }, async (place) => {
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(5_000_000));
    assert.deepEqual(await Promise.all(texts.map((text) => place.ask(text))), texts);
  });
});

Deno.test("serve: a long line that stands still keeps no short one waiting", async () => {
  await serving({ answer: echo }, async (place) => {
    const conn = await Deno.connect({ transport: "unix", path: place.path });
    const part = new TextEncoder().encode(`"${"x".repeat(150_000)}`);
    for (let rest = part; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
    assert.equal(await place.ask("short"), "short");
    conn.close();
    assert.equal(
      (await place.ask("y".repeat(150_000)) as string).length,
      150_000,
      "and its turn is given back",
    );
  });
});

Deno.test("serve: an answer may take longer than a request, and who waits may leave", async () => {
  const clock = new FakeClock();
  const asked = Promise.withResolvers<AbortSignal>();
  const late = Promise.withResolvers<Json>();
  const answer = (_: Json, gone: AbortSignal) => {
    asked.resolve(gone);
    return late.promise;
  };
  await serving({ answer, clock }, async (place) => {
    const leaving = new AbortController();
    const left = assert.rejects(place.ask("first", { signal: leaving.signal }), { code: "failed" });
    const patient = place.ask("second");
    const gone = await asked.promise;
    await clock.advance(60_000);
    leaving.abort();
    await left;
    if (!gone.aborted) {
      await new Promise((resolve) => gone.addEventListener("abort", resolve, { once: true }));
    }
    late.resolve("at last");
    assert.equal(await patient, "at last");
  });
});

Deno.test("serve: who does not take an answer is hung up on, so that the server can end", async () => {
  const clock = new FakeClock();
  const asked = Promise.withResolvers<void>();
  const answer = () => {
    asked.resolve();
    return Promise.resolve("z".repeat(4_000_000));
  };
  await serving({ answer, clock }, async (place) => {
    const conn = await Deno.connect({ transport: "unix", path: place.path });
    await conn.write(new TextEncoder().encode('"give"\n'));
    await asked.promise;
    place.stop();
    await clock.untilSleeping();
    await clock.advance(5000);
    conn.close();
  });
});

Deno.test("ask: a question without an end is asked with no time limit, and one with a limit names what helps", async () => {
  const never = new Promise<Json>(() => {});
  const listener = Deno.makeTempDirSync({ prefix: "flan-ask-" });
  const path = `${listener}/deaf.sock`;
  const deaf = Deno.listen({ transport: "unix", path });
  const clock = new FakeClock();
  const question = { request: "x", who: "the server", clock, hint: "shake it" };
  const leaving = new AbortController();
  const endless = assert.rejects(ask(path, { ...question, signal: leaving.signal }), { code: "failed" });
  const limited = assert.rejects(ask(path, { ...question, within: 5000 }), {
    code: "timeout",
    message: `The server at ${path} does not answer`,
    hint: "shake it",
  });
  await clock.untilSleeping();
  await clock.advance(4999);
  assert.equal(clock.sleeping, 1);
  await clock.advance(60_000);
  await limited;
  assert.equal(await Promise.race([endless, never, Promise.resolve("waits")]), "waits");
  leaving.abort();
  await endless;
  deaf.close();
  Deno.removeSync(listener, { recursive: true });
});
