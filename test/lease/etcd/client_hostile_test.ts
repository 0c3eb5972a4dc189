/** What the client makes of servers that are no etcd, or no longer. */
import assert from "node:assert/strict";
import { EtcdClient } from "../../../lease/etcd/client.ts";
import type { JsonObject } from "../../../lease/go_json.ts";
import { FlanError } from "../../../net/errors.ts";
import { isPrintable } from "../../../net/text.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import {
  chunk,
  chunkedHead,
  endlessly,
  HostileServer,
  misbehaviours,
  reply,
  type Script,
} from "../../lib/hostile_server.ts";

/** What may lie in the kernel's buffers of a loopback connection when its client hangs up. */
const BUFFERS = 16 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

const created = '{"result":{"header":{"revision":"7"},"created":true}}\n';

function clientOf(server: HostileServer, clock = new FakeClock()): EtcdClient {
  return new EtcdClient({ origins: [server.origin], credentials: {}, clock, prefix: "/p" });
}

async function messages(client: EtcdClient, signal = new AbortController().signal): Promise<JsonObject[]> {
  return await Array.fromAsync(client.watch({}, { signal, lifetime: 20_000 }));
}

async function failure(work: Promise<unknown>): Promise<FlanError> {
  const error = await work.then((value) => assert.fail(JSON.stringify(value)), (error) => error);
  assert.ok(error instanceof FlanError, String(error));
  assert.ok(isPrintable(error.message) && error.message.length < 400, error.message);
  assert.match(error.message, /^Cannot (use|reach) http:\/\/127\.0\.0\.1:\d+: [a-z]/);
  return error;
}

for (const { name, code, script } of misbehaviours) {
  Deno.test(`a server that ${name} is ${code} to a call`, async () => {
    await using server = new HostileServer(script);
    const client = clientOf(server);
    const error = await failure(client.call("kv/range", {}));
    assert.equal(error.code, code, error.message);
    assert.deepEqual(server.requests, ["POST /v3/kv/range"]);
    assert.ok(server.sent < BUFFERS, `${server.sent} bytes`);
    client.close();
  });

  Deno.test(`a server that ${name} is trouble to a watch`, async () => {
    await using server = new HostileServer(script);
    const client = clientOf(server);
    const error = await failure(messages(client));
    // An answer without anything in it may as well be a watch that the server has ended.
    assert.equal(error.code, name === "sends an empty answer" ? "store" : code, error.message);
    client.close();
  });
}

Deno.test("the beginning of a page that is no etcd's stands in the error", async () => {
  await using server = new HostileServer(({ write }) =>
    write(reply("<html>\n <p>Not\u0007 Found", { status: "404 Not Found", type: "text/html" }))
  );
  const client = clientOf(server);
  const { message, code } = await failure(client.call("kv/range", {}));
  assert.equal(code, "store-reply");
  assert.ok(
    message.endsWith(
      'it is not an etcd of version 3.4 or later: it answers 404 with text/html "<html> <p>Not\\u0007 Found"',
    ),
    message,
  );
  client.close();
});

Deno.test("the error of another service is not taken for etcd's", async () => {
  await using server = new HostileServer(({ write }) =>
    write(reply('{"kind":"Status","message":"Unauthorized","code":401}', { status: "401 Unauthorized" }))
  );
  const client = clientOf(server);
  assert.equal((await failure(client.call("kv/range", {}))).code, "store-reply");
  client.close();
});

for (const text of ['{"kvs":7,"header":null}', '{"kvs":[{"key":"***","mod_revision":"abc"}]}', "{}"]) {
  Deno.test(`the fields of ${text} are handed on as they are`, async () => {
    await using server = new HostileServer(({ write }) => write(reply(text)));
    const client = clientOf(server);
    assert.deepEqual(await client.call("kv/range", {}), JSON.parse(text));
    client.close();
  });
}

const floods: readonly {
  name: string;
  script: Script;
  limit: number;
  call: (client: EtcdClient) => Promise<unknown>;
}[] = [
  {
    name: "an answer without an end",
    script: endlessly(" "),
    limit: 64 * MEBIBYTE,
    call: (client) => client.call("kv/range", {}),
  },
  {
    name: "an answer of 200 MB",
    script: async ({ write }) => {
      await write(`HTTP/1.1 200 OK\r\ncontent-length: ${200 * MEBIBYTE}\r\n\r\n`);
      for (let i = 0; i < 200; i++) await write("1".repeat(MEBIBYTE));
    },
    limit: 64 * MEBIBYTE,
    call: (client) => client.call("kv/range", {}),
  },
  {
    name: "an answer without an end to a small question",
    script: endlessly(" "),
    limit: MEBIBYTE,
    call: (client) => client.call("lease/grant", {}),
  },
  {
    name: "a line of a watch without an end",
    script: endlessly("x"),
    limit: 64 * MEBIBYTE,
    call: messages,
  },
  {
    name: "an error of a watch without an end",
    script: async ({ write }) => {
      await write(chunkedHead.replace("200 OK", "500 X"));
      for (;;) await write(chunk("y".repeat(MEBIBYTE)));
    },
    limit: MEBIBYTE,
    call: messages,
  },
];

for (const { name, script, limit, call } of floods) {
  Deno.test(`${name} is read to its limit, and then hung up on`, async () => {
    await using server = new HostileServer(script);
    const client = clientOf(server);
    const error = await failure(call(client));
    assert.equal(error.code, "store-reply", error.message);
    // It ends because the client hangs up.
    await server.idle();
    assert.ok(server.sent < limit + BUFFERS, `${server.sent} bytes`);
    client.close();
  });
}

Deno.test("an answer that drips is given up in time", async () => {
  await using server = new HostileServer(async ({ write, hungUp }) => {
    await write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
    await hungUp();
  });
  const clock = new FakeClock();
  const client = clientOf(server, clock);
  const call = failure(client.call("kv/range", {}));
  await server.silent;
  // Until its head has come, there is a time limit for that as well.
  while (clock.sleeping > 1) await clock.turn();
  await clock.advance(15_000);
  const { code, message } = await call;
  assert.equal(code, "store");
  assert.match(message, /its answer is not whole after 15 s$/);
  await server.idle();
  assert.equal(clock.sleeping, 0);
  client.close();
});

Deno.test("a watch whose first message does not come is given up after 5 s", async () => {
  await using server = new HostileServer(async ({ write, hungUp }) => {
    await write(chunkedHead + chunk(created.slice(0, 10)));
    await hungUp();
  });
  const clock = new FakeClock();
  const client = clientOf(server, clock);
  const watch = failure(messages(client));
  await server.silent;
  await clock.advance(5000);
  const { code, message } = await watch;
  assert.equal(code, "store");
  assert.match(message, /within 5 s$/);
  await server.idle();
  assert.equal(clock.sleeping, 0);
  client.close();
});
