/** Endpoints, watches and tokens, with servers that say what the test wants. */
import assert from "node:assert/strict";
import { EtcdClient } from "../../../lease/etcd/client.ts";
import { EtcdError } from "../../../lease/etcd/gateway.ts";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import { FlanError } from "../../../net/errors.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { freePorts } from "../../lib/etcd_server.ts";
import { chunk, chunkedHead, HostileServer, reply, type Script } from "../../lib/hostile_server.ts";

const created = '{"result":{"header":{"revision":"7"},"created":true}}\n';
const news = '{"result":{"header":{"revision":"8"}}}\n';

function clientOf(
  origins: readonly string[],
  { clock = new FakeClock(), credentials = {} as Credentials } = {},
) {
  return new EtcdClient({ origins, credentials, clock, prefix: "/p" });
}

function refusing(message: string, code: number, status = "400 Bad Request"): Script {
  return ({ write }) => write(reply(JSON.stringify({ error: message, message, code }), { status }));
}

/** Ends a chunked answer. */
const END = "0\r\n\r\n";
const good: Script = ({ write }) => write(reply('{"header":{"revision":"1"}}'));
const nobody = () => `http://127.0.0.1:${freePorts(1)[0]}`;

Deno.test("the endpoint that answered last is asked first, until it fails", async () => {
  let fails = false;
  await using first = new HostileServer((answer) => fails ? Promise.resolve() : good(answer));
  await using second = new HostileServer(good);
  const client = clientOf([first.origin, second.origin]);
  await client.call("kv/range", {});
  await client.call("kv/range", {});
  assert.deepEqual([first.requests.length, second.requests.length], [2, 0]);
  fails = true;
  await client.call("kv/range", {});
  fails = false;
  await client.call("kv/range", {});
  assert.deepEqual([first.requests.length, second.requests.length], [3, 2]);
  client.close();
});

Deno.test("where no endpoint answers each was asked once, and the error says what each had", async () => {
  await using hangs = new HostileServer(() => Promise.resolve());
  await using page = new HostileServer(({ write }) => write(reply("<p>", { type: "text/html" })));
  const [away, gone] = [nobody(), nobody()];
  const client = clientOf([away, hangs.origin, gone, page.origin]);
  await assert.rejects(client.call("kv/range", {}), (error) => {
    assert.ok(error instanceof FlanError);
    assert.equal(error.code, "store-reply", "what answers says more than what is away");
    assert.equal(
      error.message,
      `Cannot use any of 4 etcd endpoints: ${away}, ${gone}: connection refused; ${hangs.origin}: it hung up ` +
        `without an answer; ${page.origin}: it is not an etcd of version 3.4 or later: it answers 200 with ` +
        'text/html "<p>"',
    );
    return true;
  });
  assert.deepEqual([hangs.requests.length, page.requests.length], [1, 1]);
  client.close();
});

for (
  const [message, code] of [["etcdserver: no leader", 14], ["etcdserver: request timed out", 4], [
    "context canceled",
    1,
  ]] as const
) {
  Deno.test(`"${message}" lets the next endpoint be asked`, async () => {
    await using first = new HostileServer(refusing(message, code, "503 Service Unavailable"));
    await using second = new HostileServer(good);
    const client = clientOf([first.origin, second.origin]);
    assert.deepEqual(await client.call("kv/txn", {}), { header: { revision: "1" } });
    client.close();
    const alone = clientOf([first.origin]);
    await assert.rejects(
      alone.call("kv/txn", {}),
      (error) => error instanceof FlanError && error.code === "store" && error.message.includes("etcd says"),
    );
    alone.close();
  });
}

Deno.test("what etcd itself refuses is told at once, with its code", async () => {
  await using first = new HostileServer(refusing("etcdserver: mvcc: database space exceeded", 8));
  await using second = new HostileServer(good);
  const client = clientOf([first.origin, second.origin]);
  await assert.rejects(
    client.call("kv/txn", {}),
    (error) =>
      error instanceof EtcdError && error.code === 8 && error.message === "mvcc: database space exceeded",
  );
  assert.equal(second.requests.length, 0);
  client.close();
});

Deno.test("a denial is not asked for at the other members of the cluster", async () => {
  await using first = new HostileServer(refusing("etcdserver: permission denied", 7, "403 Forbidden"));
  await using second = new HostileServer(good);
  const client = clientOf([first.origin, second.origin]);
  await assert.rejects(
    client.call("kv/txn", {}),
    (error) => error instanceof FlanError && error.code === "store-denied",
  );
  assert.equal(second.requests.length, 0);
  client.close();
});

Deno.test("the message of a streaming call comes bare, and its error is thrown", async () => {
  await using server = new HostileServer(({ write }) => write(reply('{"result":{"ID":"5","TTL":"9"}}\n')));
  const client = clientOf([server.origin]);
  assert.deepEqual(await client.call("lease/keepalive", { ID: "5" }), { ID: "5", TTL: "9" });
  client.close();
  await using broken = new HostileServer(({ write }) =>
    write(
      reply('{"error":{"grpc_code":5,"http_code":404,"message":"etcdserver: requested lease not found"}}\n'),
    )
  );
  const other = clientOf([broken.origin]);
  await assert.rejects(
    other.call("lease/keepalive", { ID: "5" }),
    (error) => error instanceof EtcdError && error.code === 5,
  );
  other.close();
});

Deno.test("messages of a watch are the same however their bytes are cut", async () => {
  const text = created + news + news;
  for (const size of [1, 7, created.length, created.length + 3, text.length]) {
    await using server = new HostileServer(async ({ write }) => {
      await write(chunkedHead);
      for (let i = 0; i < text.length; i += size) await write(chunk(text.slice(i, i + size)));
      await write(END);
    });
    const client = clientOf([server.origin]);
    const limits = { signal: new AbortController().signal, lifetime: 20_000 };
    const revisions = (await Array.fromAsync(client.watch({}, limits)))
      .map(({ header }) => (header as { revision: string }).revision);
    assert.deepEqual(revisions, ["7", "8", "8"], `${size} at a time`);
    client.close();
  }
});

const quiet: Script = async ({ write, hungUp }) => {
  await write(chunkedHead + chunk(created));
  await hungUp();
};

Deno.test("a watch that hears nothing more ends by itself when its time is over, and hangs up", async () => {
  await using server = new HostileServer(quiet);
  const clock = new FakeClock();
  const client = clientOf([server.origin], { clock });
  const watch = client.watch({}, { signal: new AbortController().signal, lifetime: 20_000 });
  assert.equal((await watch.next()).value!.created, true);
  const end = watch.next();
  await clock.advance(20_000);
  assert.equal((await end).done, true);
  await server.idle();
  assert.equal(clock.sleeping, 0);
  client.close();
});

Deno.test("aborting a watch ends it without an error, before and after its first message", async () => {
  await using server = new HostileServer(async ({ request, write, hungUp }) => {
    if (server.requests.length > 1) await write(chunkedHead + chunk(created));
    assert.equal(request, "POST /v3/watch");
    await hungUp();
  });
  const clock = new FakeClock();
  const client = clientOf([server.origin], { clock });
  const early = new AbortController();
  const first = Array.fromAsync(client.watch({}, { signal: early.signal, lifetime: 20_000 }));
  await server.silent;
  early.abort();
  assert.deepEqual(await first, []);
  const later = new AbortController();
  const watch = client.watch({}, { signal: later.signal, lifetime: 20_000 });
  await watch.next();
  const end = watch.next();
  later.abort();
  assert.equal((await end).done, true);
  await server.idle();
  assert.equal(clock.sleeping, 0);
  assert.deepEqual(await Array.fromAsync(client.watch({}, { signal: later.signal, lifetime: 20_000 })), []);
  client.close();
});

Deno.test("a watch that is not read to its end hangs up", async () => {
  await using server = new HostileServer(quiet);
  const clock = new FakeClock();
  const client = clientOf([server.origin], { clock });
  for await (const _ of client.watch({}, { signal: new AbortController().signal, lifetime: 20_000 })) break;
  await server.idle();
  assert.equal(clock.sleeping, 0);
  client.close();
});

Deno.test("a watch that breaks is trouble, and the next one goes to the next endpoint", async () => {
  await using first = new HostileServer(async ({ write }) => {
    await write(chunkedHead + chunk(created));
  });
  await using second = new HostileServer(({ write }) => write(chunkedHead + chunk(created) + END));
  const client = clientOf([first.origin, second.origin]);
  const limits = { signal: new AbortController().signal, lifetime: 20_000 };
  await assert.rejects(
    Array.fromAsync(client.watch({}, limits)),
    (error) =>
      error instanceof FlanError && error.code === "store" && /its answer broke off$/.test(error.message),
  );
  assert.equal((await Array.fromAsync(client.watch({}, limits))).length, 1);
  assert.deepEqual(second.requests, ["POST /v3/watch"]);
  client.close();
});

Deno.test("a watch that is compacted is handed on, one without a leader is trouble", async () => {
  const answers = [
    '{"result":{"canceled":true,"compact_revision":"5"}}\n',
    '{"result":{"canceled":true,"cancel_reason":"rpc error: code = Unavailable desc = etcdserver: no leader"}}\n',
    '{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}\n',
  ];
  const left = answers.values();
  await using server = new HostileServer(({ write }) =>
    write(chunkedHead + chunk(created) + chunk(left.next().value!) + END)
  );
  const client = clientOf([server.origin]);
  const watch = () =>
    Array.fromAsync(client.watch({}, { signal: new AbortController().signal, lifetime: 20_000 }));
  assert.deepEqual((await watch())[1], { canceled: true, compact_revision: "5" });
  for (let i = 0; i < 2; i++) {
    await assert.rejects(watch(), (error) => error instanceof FlanError && error.code === "store");
  }
  client.close();
});

Deno.test("a token that cannot be a header is refused, and the password stands in no error", async () => {
  const passwordFile = await Deno.makeTempFile({ prefix: "flan-password-" });
  await Deno.writeTextFile(passwordFile, "hush-hush\n");
  const credentials = { user: "flan", passwordFile };
  for (const token of ["a\r\nx: y", "", 7, "x".repeat(9000)]) {
    await using server = new HostileServer(({ write }) => write(reply(JSON.stringify({ token }))));
    const client = clientOf([server.origin], { credentials });
    await assert.rejects(client.call("kv/range", {}), (error) => {
      assert.ok(error instanceof FlanError && error.code === "store-reply");
      assert.ok(!Deno.inspect(error).includes("hush"));
      return true;
    });
    assert.deepEqual(server.requests, ["POST /v3/auth/authenticate"]);
    client.close();
  }
  await Deno.remove(passwordFile);
});

Deno.test("a watch asks to be ended where there is no leader, and no answer is to be compressed", async () => {
  await using server = new HostileServer(({ write }) => write(chunkedHead + chunk(created) + END));
  const client = clientOf([server.origin]);
  await Array.fromAsync(client.watch({}, { signal: new AbortController().signal, lifetime: 20_000 }));
  assert.match(server.heads[0]!, /\r\ngrpc-metadata-hasleader: true\r\n/);
  assert.match(server.heads[0]!, /\r\naccept-encoding: identity(\r\n|$)/);
  client.close();
});

Deno.test("a probe says of each endpoint what is wrong with it", async () => {
  await using server = new HostileServer(good);
  const away = nobody();
  const client = clientOf([away, server.origin]);
  const found = await client.probe();
  assert.deepEqual(found.map(({ endpoint, error }) => [endpoint, error?.message]), [
    [away, `Cannot reach ${away}: connection refused`],
    [server.origin, undefined],
  ]);
  client.close();
});

Deno.test("a probe tells how far the clock of each endpoint is ahead, by the date of its answers", async () => {
  const clock = new FakeClock();
  const date = () => new Date(clock.now() + 3_600_000).toUTCString();
  await using right = new HostileServer(good);
  await using ahead = new HostileServer(({ write }) =>
    write(reply("{}").replace("\r\n", `\r\ndate: ${date()}\r\n`))
  );
  const client = clientOf([right.origin, ahead.origin], { clock });
  const [none, hour] = (await client.probe()).map((one) => one.ahead);
  assert.equal(none, 0, "one that does not tell is right");
  assert.ok(Math.abs(hour! - 3_600_000) <= 2000, `${hour} ms`);
  client.close();
});

/** Takes what it is asked, and says nothing. */
const silent: Script = ({ hungUp }) => hungUp();

Deno.test("endpoints that say nothing are asked for 10 s together, and the next call begins with another", async () => {
  await using first = new HostileServer(silent);
  await using second = new HostileServer(silent);
  await using third = new HostileServer(good);
  const clock = new FakeClock();
  const client = clientOf([first.origin, second.origin, third.origin], { clock });
  const call = client.call("kv/range", {}).catch((error) => error);
  for (const server of [first, second]) {
    await server.silent;
    await clock.advance(5000);
  }
  const error = await call;
  assert.ok(error instanceof FlanError && error.code === "store");
  assert.equal(
    error.message,
    `Cannot use 2 of 3 etcd endpoints: ${first.origin}, ${second.origin}: no answer within 5 s; ` +
      "no time was left for the others",
  );
  assert.deepEqual(third.requests, []);
  await client.call("kv/range", {});
  assert.equal(third.requests.length, 1);
  client.close();
});

for (const how of ["signal", "close"] as const) {
  for (const credentials of [{}, { user: "flan", passwordFile: import.meta.filename! }]) {
    const what = "user" in credentials ? "a call that waits for its token" : "a call";
    Deno.test(`${what} is given up at once by ${how}, and no other endpoint is asked`, async () => {
      await using first = new HostileServer(silent);
      await using second = new HostileServer(good);
      const clock = new FakeClock();
      const client = clientOf([first.origin, second.origin], { clock, credentials });
      const over = new AbortController();
      const call = client.call("kv/range", {}, { signal: over.signal }).catch((error) => error);
      await first.silent;
      if (how === "signal") over.abort();
      else client.close();
      const error = await call;
      assert.ok(error instanceof FlanError && error.code === "store", String(error));
      assert.match(error.message, /the request was given up$/);
      assert.deepEqual(second.requests, []);
      client.close();
      await first.idle();
      assert.equal(clock.sleeping, 0);
    });
  }
}

Deno.test("whoever makes a call again is told, because the time before may have had an effect", async () => {
  await using first = new HostileServer(() => Promise.resolve());
  await using second = new HostileServer(good);
  const client = clientOf([first.origin, second.origin]);
  let count = 0;
  const repeated = () => count++;
  await client.call("kv/txn", {}, { repeated });
  assert.equal(count, 1);
  await client.call("kv/txn", {}, { repeated });
  assert.equal(count, 1);
  client.close();
});
