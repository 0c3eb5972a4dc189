import assert from "node:assert/strict";
import { askAgent, type Request, serveControl, serveStatus } from "../../agent/control.ts";
import { silent } from "../../net/log.ts";
import { FakeClock } from "../lib/fake_clock.ts";

async function serving(
  work: (parts: { path: string; clock: FakeClock; stop: () => void; asked: string[] }) => Promise<void>,
  answer: (request: Request) => Promise<{ answered: string }> = (request) =>
    Promise.resolve({ answered: request.op }),
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-control-" });
  const path = `${dir}/agent.sock`;
  const clock = new FakeClock();
  const stopping = new AbortController();
  const asked: string[] = [];
  // What a killed agent leaves: a socket file that nobody listens on.
  Deno.writeTextFileSync(path, "");
  const served = serveControl(path, {
    clock,
    log: silent,
    signal: stopping.signal,
    answer: (request) => {
      asked.push(request.op);
      return answer(request);
    },
  });
  try {
    await work({ path, clock, stop: () => stopping.abort(), asked });
  } finally {
    stopping.abort();
    await served;
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound, "the socket file goes with the agent");
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Sends bytes as they are and reads what comes until the agent hangs up. */
async function send(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const conn = await Deno.connect({ transport: "unix", path });
  try {
    if (bytes.length > 0) await conn.write(bytes);
    return await new Response(conn.readable).text();
  } catch (error) {
    // A hang-up with unread bytes is a reset.
    if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return "";
    throw error;
  }
}

Deno.test("control: a request is answered, in place of a dead agent's socket", async () => {
  await serving(async ({ path, clock }) => {
    assert.deepEqual(await askAgent(path, { op: "status", clock }), { answered: "status" });
    assert.deepEqual(await askAgent(path, { op: "stop", clock }), { answered: "stop" });
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o660);
  });
});

Deno.test("control: where nobody listens there is no answer, and no error", async () => {
  const clock = new FakeClock();
  const dir = Deno.makeTempDirSync();
  assert.equal(await askAgent(`${dir}/none.sock`, { op: "status", clock }), undefined);
  Deno.listen({ transport: "unix", path: `${dir}/dead.sock` }).close();
  assert.equal(await askAgent(`${dir}/dead.sock`, { op: "status", clock }), undefined);
  Deno.removeSync(dir, { recursive: true });
});

Deno.test("control: garbage, unknown requests and floods are hung up on, and others are served", async () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const hostile = [
    text("hello\n"),
    text("null\n"),
    text('{"op":"rm"}\n'),
    text('{"op":"status","more":1}\n'),
    text('{"__proto__":{"op":"status"}}\n'),
    Uint8Array.of(0xff, 0xfe, 0x0a),
    text("x".repeat(1 << 20)),
    text(`{"op":"status"${" ".repeat(2000)}}\n`),
  ];
  await serving(async ({ path, clock, asked }) => {
    for (const bytes of hostile) assert.equal(await send(path, bytes), "");
    assert.deepEqual(asked, []);
    assert.deepEqual(await askAgent(path, { op: "status", clock }), { answered: "status" });
  });
});

Deno.test("control: an answer that cannot be given is an error in the agent's words", async () => {
  await serving(async ({ path, clock }) => {
    await assert.rejects(askAgent(path, { op: "status", clock }), {
      code: "failed",
      message: `The agent at ${path} refused: not now`,
    });
  }, () => Promise.reject(new Error("not now")));
});

Deno.test("control: a client that says nothing is hung up on after a while", async () => {
  await serving(async ({ path, clock }) => {
    const silent = send(path, new Uint8Array());
    await clock.untilSleeping();
    await clock.advance(5000);
    assert.equal(await silent, "");
  });
});

Deno.test("control: a client that says nothing does not hold up an agent that stops", async () => {
  await serving(async ({ path, clock, stop }) => {
    const silent = send(path, new Uint8Array());
    await clock.untilSleeping();
    stop();
    assert.equal(await silent, "");
  });
});

Deno.test("control: an agent that does not answer is a timeout", async () => {
  const late = Promise.withResolvers<{ answered: string }>();
  await serving(async ({ path, clock }) => {
    const asking = askAgent(path, { op: "status", clock: new FakeClock() });
    const impatient = new FakeClock();
    const timedOut = assert.rejects(askAgent(path, { op: "status", clock: impatient }), { code: "timeout" });
    await clock.untilSleeping(2);
    await impatient.advance(10_000);
    await timedOut;
    late.resolve({ answered: "late" });
    assert.deepEqual(await asking, { answered: "late" });
  }, () => late.promise);
});

Deno.test("control: of a hundred clients at once, 64 are served and the others hung up on", async () => {
  const all = Promise.withResolvers<{ answered: string }>();
  await serving(async ({ path, asked }) => {
    const request = new TextEncoder().encode('{"op":"status"}\n');
    const clients = Array.from({ length: 100 }, () => send(path, request));
    let refused = 0;
    for (const client of clients) client.then((text) => refused += text === "" ? 1 : 0);
    while (asked.length + refused < 100) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([asked.length, refused], [64, 36]);
    all.resolve({ answered: "all" });
    const answers = await Promise.all(clients);
    assert.equal(answers.filter((text) => text === '{"ok":{"answered":"all"}}\n').length, 64);
  }, () => all.promise);
});

Deno.test("control: a path that no unix socket can have is refused at once, in one sentence", () => {
  const signal = new AbortController().signal;
  const parts = { answer: () => Promise.resolve(null), clock: new FakeClock(), log: silent, signal };
  const path = `/${"r".repeat(107)}`;
  assert.throws(() => serveControl(path, parts), {
    code: "invalid",
    message: `Cannot listen on ${path}: a socket's path has 107 bytes at most, this one has 108`,
  });
});

Deno.test("control: every user may ask for the status, and for nothing else", async () => {
  await serving(async ({ path, clock, asked }) => {
    const stopping = new AbortController();
    const everybodys = path.replace("agent.sock", "status.sock");
    const parts = { clock, log: silent, signal: stopping.signal };
    const served = serveStatus(everybodys, { ...parts, answer: () => Promise.resolve({ well: true }) });
    assert.equal(Deno.statSync(everybodys).mode! & 0o777, 0o666);
    assert.deepEqual(await askAgent(everybodys, { op: "status", clock }), { well: true });
    for (const op of ["stop", "repair", "network", "lingering", "ping"] as const) {
      assert.equal(await send(everybodys, new TextEncoder().encode(`{"op":"${op}"}\n`)), "", op);
    }
    assert.deepEqual(asked, []);
    stopping.abort();
    await served;
  });
});

Deno.test("control: however many wait at everybody's socket, root is answered at the other one", async () => {
  const all = Promise.withResolvers<{ answered: string }>();
  await serving(async ({ path, clock }) => {
    const stopping = new AbortController();
    const everybodys = path.replace("agent.sock", "status.sock");
    let asked = 0;
    const answer = () => (asked++, all.promise);
    const served = serveStatus(everybodys, { clock, log: silent, signal: stopping.signal, answer });
    const request = new TextEncoder().encode('{"op":"status"}\n');
    const crowd = Array.from({ length: 100 }, () => send(everybodys, request));
    let refused = 0;
    for (const one of crowd) one.then((text) => refused += text === "" ? 1 : 0);
    while (asked + refused < 100) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([asked, refused], [16, 84]);
    assert.deepEqual(await askAgent(path, { op: "repair", clock }), { answered: "repair" });
    all.resolve({ answered: "all" });
    await Promise.all(crowd);
    stopping.abort();
    await served;
  });
});
