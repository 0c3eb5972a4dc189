/** Requests that fail below HTTP, their time limits, and the sentences for both. */
import assert from "node:assert/strict";
import { Connection, type Request } from "../../../lease/remote/connection.ts";
import { reasonOf } from "../../../lease/remote/reasons.ts";
import { FlanError } from "../../../net/errors.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { freePorts } from "../../lib/etcd_server.ts";
import { chunk, chunkedHead, HostileServer, reply } from "../../lib/hostile_server.ts";

const question: Request = { method: "GET", path: "/x", timeout: 5000, maxBytes: 1000 };

function connectionTo(origin: string, clock = new FakeClock()): Connection {
  return new Connection(origin, { credentials: {}, clock });
}

async function failure(work: Promise<unknown>): Promise<FlanError> {
  const error = await work.then(() => assert.fail("it succeeds"), (error) => error);
  assert.ok(error instanceof FlanError, String(error));
  return error;
}

const away: [what: string, origin: string, code: string, why: string][] = [
  ["a port where nobody listens", `http://127.0.0.1:${freePorts(1)[0]}`, "store", "connection refused"],
  [
    "a name that does not exist",
    "http://store.invalid:2379",
    "store",
    "its name cannot be resolved (",
  ],
  ["a port of another service", "http://127.0.0.1:6000", "invalid", "port 6000 belongs to another service"],
];

for (const [what, origin, code, why] of away) {
  Deno.test(`${what} has a short reason`, async () => {
    const connection = connectionTo(origin);
    const error = await failure(connection.request(question));
    assert.equal(error.code, code);
    const verb = code === "store" ? "reach" : "use";
    assert.ok(error.message.startsWith(`Cannot ${verb} ${origin}: ${why}`), error.message);
    connection.close();
  });
}

/** As Deno 2.9 says it, where the network of a test cannot be made to fail so. */
const recorded: [text: string, why: string][] = [
  [
    "error sending request for url (http://192.0.2.1:2379/): client error (Connect): tcp connect error: No route to host (os error 113)",
    "no route to host",
  ],
  [
    "error sending request for url (http://192.0.2.1:2379/): client error (Connect): tcp connect error: Network is unreachable (os error 101)",
    "network is unreachable",
  ],
  [
    "error sending request for url (http://h1/): client error (Connect): something: nobody has seen",
    "something: nobody has seen",
  ],
];

for (const [text, why] of recorded) {
  Deno.test(`"${why}" is what remains of Deno's error`, () => {
    const error = new TypeError("fetch failed", { cause: new Error(text) });
    const reason = reasonOf(error, { origin: "http://h1", credentials: {} });
    assert.deepEqual([reason.code, reason.why], ["store", why]);
  });
}

Deno.test("a server that says nothing is given up in time, and forgotten", async () => {
  await using server = new HostileServer(({ hungUp }) => hungUp());
  const clock = new FakeClock();
  const connection = connectionTo(server.origin, clock);
  const answer = failure(connection.request(question));
  await server.silent;
  await clock.advance(5000);
  const { code, message } = await answer;
  assert.deepEqual([code, message], ["store", `Cannot reach ${server.origin}: no answer within 5 s`]);
  await server.idle();
  assert.equal(clock.sleeping, 0);
  connection.close();
});

Deno.test("one request that takes too long does not end the others", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = new HostileServer(async ({ request, write, hungUp }) => {
    if (request === "GET /x") return await hungUp();
    await gate.promise;
    await write(reply("late"));
  });
  const clock = new FakeClock();
  const connection = connectionTo(server.origin, clock);
  const patient = connection.request({ ...question, path: "/patient", timeout: 60_000 });
  const hasty = failure(connection.request(question));
  await server.silent;
  await clock.advance(5000);
  assert.match((await hasty).message, /no answer within 5 s$/);
  gate.resolve();
  assert.equal((await patient).body, "late");
  connection.close();
});

Deno.test("a request that is given up fails at once, and a stream breaks", async () => {
  await using server = new HostileServer(async ({ request, write, hungUp }) => {
    if (request === "GET /stream") await write(chunkedHead + chunk("first"));
    await hungUp();
  });
  const clock = new FakeClock();
  const connection = connectionTo(server.origin, clock);
  const stop = new AbortController();
  const answer = failure(connection.request({ ...question, signal: stop.signal }));
  await server.silent;
  stop.abort();
  assert.match((await answer).message, /the request was given up$/);
  const end = new AbortController();
  const { chunks } = await connection.stream({ ...question, path: "/stream", signal: end.signal });
  const iterator = chunks[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value, "first");
  // The time limit of the head is over; the stream is not.
  await clock.advance(60_000);
  const next = failure(iterator.next());
  end.abort();
  assert.equal((await next).code, "store");
  await server.idle();
  connection.close();
});
