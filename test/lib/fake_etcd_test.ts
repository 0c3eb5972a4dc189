/** The fake etcd against a real one: the same calls, the same answers. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { EtcdClient } from "../../lease/etcd/client.ts";
import { EtcdError, type Gateway, type Method } from "../../lease/etcd/gateway.ts";
import type { JsonObject } from "../../lease/go_json.ts";
import type { Json } from "../../net/json.ts";
import { EtcdServer } from "./etcd_server.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeEtcd } from "./fake_etcd.ts";

const put = (key: string, value: string, more: JsonObject = {}) => ({
  request_put: { key: btoa(key), value: btoa(value), ...more },
});
const get = (key: string, more: JsonObject = {}) => ({ request_range: { key: btoa(key), ...more } });
const del = (key: string, more: JsonObject = {}) => ({ request_delete_range: { key: btoa(key), ...more } });
const all = { key: btoa("/n/"), range_end: btoa("/n0") };
const isNew = (key: string) => ({ key: btoa(key), target: "VERSION", result: "EQUAL", version: "0" });
const at = (key: string, revision: string) => ({
  key: btoa(key),
  target: "MOD",
  result: "EQUAL",
  mod_revision: revision,
});

/** Calls in order; each is answered before the next is made. */
const script: readonly (readonly [Method, JsonObject])[] = [
  ["kv/range", all],
  ["kv/txn", { success: [get("/n/a"), get("/n/b")] }],
  ["kv/txn", { compare: [isNew("/n/a")], success: [put("/n/a", "1"), put("/n/w/a", "{}")] }],
  ["kv/txn", { compare: [isNew("/n/a")], success: [put("/n/a", "2")], failure: [get("/n/a"), get("/n/x")] }],
  ["kv/txn", { compare: [isNew("/n/a")], success: [put("/n/a", "2")] }],
  ["lease/grant", { ID: "77", TTL: "60" }],
  ["lease/grant", { ID: "77", TTL: "60" }],
  ["lease/grant", { ID: "9151314442816847871", TTL: "1000" }],
  ["lease/keepalive", { ID: "77" }],
  ["lease/keepalive", { ID: "78" }],
  ["lease/timetolive", { ID: "78", keys: true }],
  ["lease/timetolive", { ID: "77", keys: true }],
  ["kv/txn", { compare: [at("/n/a", "2")], success: [put("/n/a", "3", { lease: "77" }), put("/n/é", "ü")] }],
  ["kv/txn", { compare: [at("/n/a", "2")], success: [put("/n/a", "4")], failure: [get("/n/a")] }],
  ["kv/txn", { success: [put("/n/c", "", { lease: "78" })] }],
  ["kv/txn", { success: [put("/n/c", "", { lease: "77" })] }],
  ["lease/timetolive", { ID: "77", keys: true }],
  ["kv/range", all],
  ["kv/range", { ...all, limit: "2" }],
  ["kv/range", { ...all, limit: "2", revision: "2" }],
  ["kv/range", { ...all, limit: "1", revision: "2" }],
  ["kv/range", { key: btoa("/n/a\0"), range_end: btoa("/n0") }],
  ["kv/range", { ...all, revision: "99" }],
  ["kv/txn", { success: [put("/n/a", "5", { lease: "9151314442816847871" })] }],
  ["lease/revoke", { ID: "77" }],
  ["lease/revoke", { ID: "77" }],
  ["kv/range", all],
  ["kv/txn", { success: [del("/n/gone"), get("/n/a")] }],
  ["kv/txn", { compare: [at("/n/a", "5")], success: [del("/n/a"), put("/n/w/a", '{"released":1}')] }],
  ["kv/txn", { success: [del("/n/w/a"), put("/n/d", "6")] }],
  ["lease/timetolive", { ID: "9151314442816847871", keys: true }],
  ["kv/range", all],
  ["maintenance/alarm", { action: "GET" }],
];

/** What differs from server to server without a meaning. */
const own = new Set(["cluster_id", "member_id", "raft_term"]);

function comparable(value: Json): Json {
  // The only lists of texts are the keys of a lease, which etcd tells in any order.
  if (Array.isArray(value)) return typeof value[0] === "string" ? value.toSorted() : value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  // How much of a lease is left depends on how quick the machine is.
  const left = (value as JsonObject).grantedTTL === undefined ? "" : "TTL";
  const fields = Object.entries(value as JsonObject).filter(([name]) => !own.has(name) && name !== left);
  return Object.fromEntries(fields.map(([name, field]) => [name, comparable(field)]).sort());
}

async function answersOf(gateway: Gateway): Promise<Json[]> {
  const answers: Json[] = [];
  for (const [method, request] of script) {
    try {
      answers.push(comparable(await gateway.call(method, request)));
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      answers.push({ code: error.code, message: error.message.replace(/^etcdserver: /, "") });
    }
  }
  return answers;
}

/** The messages of a watch from `first` on, until `count` have events or the watch is cancelled. */
async function watched(gateway: Gateway, first: string, count: number): Promise<Json[]> {
  const over = new AbortController();
  const messages: Json[] = [];
  let seen = 0;
  const request = { create_request: { ...all, start_revision: first } };
  for await (const message of gateway.watch(request, { signal: over.signal, lifetime: 60_000 })) {
    messages.push(comparable(message));
    seen += (message.events as unknown[] | undefined)?.length ?? 0;
    if (seen >= count || message.canceled === true) over.abort();
  }
  return messages;
}

Deno.test("the fake etcd answers every call as a real one does", async () => {
  await using server = await EtcdServer.start();
  const real = new EtcdClient({
    origins: [`http://${server.endpoint}`],
    credentials: {},
    clock: systemClock,
    prefix: "/n",
  });
  const etcd = new FakeEtcd(new FakeClock());
  const fake = etcd.gateway();
  try {
    const [expected, actual] = [await answersOf(real), await answersOf(fake)];
    for (const [i, answer] of actual.entries()) {
      assert.deepEqual(answer, expected[i], `${i}: ${JSON.stringify(script[i])}`);
    }
    assert.deepEqual(await watched(fake, "2", 11), await watched(real, "2", 11));
    assert.deepEqual(await watched(fake, "6", 5), await watched(real, "6", 5));
    const live = (gateway: Gateway) => {
      const messages = watched(gateway, String(etcd.keys.revision + 1), 3);
      return async () => {
        await gateway.call("kv/txn", { success: [put("/n/e", "1"), put("/other", "1")] });
        await gateway.call("kv/txn", { success: [put("/other", "2")] });
        await gateway.call("kv/txn", { success: [del("/n/e"), put("/n/f", "1")] });
        return await messages;
      };
    };
    const [onFake, onReal] = [live(fake), live(real)];
    assert.deepEqual(eventsOf(await onFake()), eventsOf(await onReal()));
    etcd.compact(9);
    await server.ctl("compact", "9");
    assert.deepEqual(await watched(fake, "3", 1), await watched(real, "3", 1));
    assert.deepEqual(await watched(fake, "9", 3), await watched(real, "9", 3));
    for (const revision of ["8", "9"]) {
      const ask = (gateway: Gateway) =>
        gateway.call("kv/range", { ...all, revision }).then(comparable, (error: EtcdError) => error.code);
      assert.deepEqual(await ask(fake), await ask(real), `revision ${revision}`);
    }
  } finally {
    real.close();
  }
});

/** etcd may put revisions that come close together into one message. */
function eventsOf(messages: readonly Json[]): Json[] {
  return messages.flatMap((message) => ((message as JsonObject).events ?? []) as Json[]);
}

Deno.test("a lease of the fake etcd ends by its clock, at half a second's step, and its keys with it", async () => {
  const clock = new FakeClock();
  const etcd = new FakeEtcd(clock);
  const gateway = etcd.gateway();
  await clock.advance(200);
  await gateway.call("lease/grant", { ID: "5", TTL: "2" });
  await gateway.call("kv/txn", {
    success: [put("/n/a", "1", { lease: "5" }), put("/n/b", "1", { lease: "5" })],
  });
  const events = watched(gateway, "3", 2);
  await clock.advance(2299);
  assert.equal((await gateway.call("kv/range", all)).count, "2");
  await clock.advance(1);
  assert.equal((await gateway.call("kv/range", all)).count, undefined);
  assert.equal(eventsOf(await events).length, 2);
  assert.equal(etcd.keys.revision, 3);
  assert.equal((await gateway.call("lease/keepalive", { ID: "5" })).TTL, undefined);
});

Deno.test("a restart of the fake etcd gives leases their whole time again, and a backup brings its keys back", async () => {
  const clock = new FakeClock();
  const etcd = new FakeEtcd(clock);
  const gateway = etcd.gateway();
  await gateway.call("lease/grant", { ID: "5", TTL: "10" });
  await gateway.call("kv/txn", { success: [put("/n/a", "1", { lease: "5" })] });
  const backup = etcd.snapshot();
  await gateway.call("kv/txn", { success: [put("/n/a", "2"), put("/n/b", "2")] });
  await clock.advance(9000);
  etcd.restart();
  await clock.advance(9000);
  assert.equal(etcd.leases.size, 1);
  etcd.restore(backup);
  assert.equal((await gateway.call("kv/range", all)).count, "1");
  assert.equal(etcd.keys.revision, 2);
  await clock.advance(10_500);
  assert.equal((await gateway.call("kv/range", all)).count, undefined);
});
