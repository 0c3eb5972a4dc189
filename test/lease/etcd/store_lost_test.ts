/** Writes to etcd whose answers are lost, late or no: what the store makes of them, and what it leaves behind. */
import assert from "node:assert/strict";
import type { CallOptions, Method } from "../../../lease/etcd/gateway.ts";
import type { JsonObject } from "../../../lease/go_json.ts";
import { config, fails, lease } from "../../conformance/store_case.ts";
import type { FakeGateway } from "../../lib/fake_gateway.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

const KEY = "10.5.1.0-24";
const HOUR = 3600_000;

/** Does `run` around the next call that `is` meant. */
function aroundCall(
  gateway: FakeGateway,
  is: (method: Method, request: JsonObject) => boolean,
  run: (call: () => Promise<JsonObject>) => Promise<JsonObject>,
): void {
  const call = gateway.call.bind(gateway);
  let isDone = false;
  gateway.call = (method, request, options?: CallOptions) => {
    const make = () => call(method, request, options);
    if (isDone || !is(method, request)) return make();
    isDone = true;
    return run(make);
  };
}

/** Loses the reply of the next transaction that compares; the gateway makes it again. */
function loseWrite(gateway: FakeGateway): void {
  aroundCall(gateway, isWrite, (call) => {
    gateway.lostReplies = 1;
    gateway.repeats = true;
    return call();
  });
}

function isWrite(method: Method, { compare }: JsonObject): boolean {
  return method === "kv/txn" && Array.isArray(compare) && compare.length > 0;
}

/** A network, and a store on a gateway of its own. */
function lossy() {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  return { ...network, gateway, store: network.openOn(gateway) };
}

Deno.test("a removal that is repeated is done, and leaves no lease of etcd", async () => {
  const { etcd, gateway, store } = lossy();
  const made = await store.create(lease(1));
  loseWrite(gateway);
  await store.remove(KEY, made.revision);
  assert.equal(etcd.leases.size, 0);
  assert.deepEqual((await store.read()).past.map(({ key, how }) => [key, how]), [[KEY, "released"]]);
});

Deno.test("a removal that another one forestalled is a conflict, and leaves no lease of etcd", async () => {
  const { etcd, gateway, store, open } = lossy();
  const made = await store.create(lease(1));
  aroundCall(gateway, isWrite, async (call) => {
    await open().remove(KEY, made.revision);
    return await call();
  });
  await fails(store.remove(KEY, made.revision), "conflict");
  assert.equal(etcd.leases.size, 0);
});

Deno.test("a removal whose answer never comes leaves no lease of etcd once the store can be used again", async () => {
  const { etcd, gateway, store } = lossy();
  const made = await store.create(lease(1));
  aroundCall(gateway, isWrite, (call) => {
    gateway.lostReplies = 1;
    return call();
  });
  await fails(store.remove(KEY, made.revision), "store");
  await store.create(lease(2));
  assert.deepEqual([...etcd.leases.values()].map(({ keys }) => keys.size), [1]);
});

Deno.test("a reservation that is written again because its answer was lost is the one that was made", async () => {
  const { gateway, store } = lossy();
  const reservation = lease(1, { ttl: undefined });
  loseWrite(gateway);
  const made = await store.create(reservation);
  assert.deepEqual((await store.read()).records, [made]);
  await fails(store.create(reservation), "conflict");
});

Deno.test("a config that is written again because its answer was lost is the one that was written", async () => {
  const { gateway, store } = lossy();
  loseWrite(gateway);
  const stored = await store.writeConfig(config, 0);
  assert.deepEqual((await store.read()).config, stored);
  await fails(store.writeConfig(config, 0), "conflict");
});

Deno.test("the hourly write of a renewal may be repeated, too", async () => {
  const { clock, etcd, gateway, store } = lossy();
  const made = await store.create(lease(1, { ttl: 86_400 }));
  await clock.advance(HOUR);
  loseWrite(gateway);
  const renewed = await store.renew(KEY, { expected: made.revision, ttl: 86_400 });
  assert.ok(renewed.revision > made.revision);
  assert.equal((await store.read()).records[0]!.revision, renewed.revision);
  assert.equal(etcd.leases.size, 1);
});

Deno.test("what another has written meanwhile is not taken for one's own, whatever is repeated", async () => {
  const { gateway, store, open } = lossy();
  aroundCall(gateway, isWrite, async (call) => {
    await open().create(lease(1, { ttl: undefined, node: "other" }));
    gateway.lostReplies = 1;
    gateway.repeats = true;
    return await call();
  });
  await fails(store.create(lease(1, { ttl: undefined })), "conflict");
});

Deno.test("on a full etcd a lease is prolonged without the hourly write, which is not tried again for an hour", async () => {
  const { clock, etcd, gateway, open, openOn } = lossy();
  const { revision } = await open().create(lease(1, { ttl: 600 }));
  const restarted = openOn(gateway);
  etcd.full = true;
  for (let minute = 0; minute < 50; minute += 5) {
    await clock.advance(300_000);
    const renewed = await restarted.renew(KEY, { expected: revision, ttl: 600 });
    assert.deepEqual([renewed.revision, renewed.expires], [revision, clock.now() + 600_000]);
  }
  // Each reads, and one has tried to write.
  assert.equal(gateway.calls.get("kv/txn"), 11);
  etcd.full = false;
  for (const _ of [50, 55]) {
    await clock.advance(300_000);
    assert.equal((await restarted.renew(KEY, { expected: revision, ttl: 600 })).revision, revision);
  }
  await clock.advance(300_000);
  assert.ok((await restarted.renew(KEY, { expected: revision, ttl: 600 })).revision > revision);
});

for (
  const { where, is, isSame } of [
    { where: "keep-alive", is: (method: Method) => method === "lease/keepalive", isSame: true },
    // A store that has not written the lease yet writes it when it renews it first.
    { where: "write", is: isWrite, isSame: false },
  ]
) {
  Deno.test(`a renewal whose host was frozen in its ${where} for longer than the lease lives is a conflict`, async () => {
    const { clock, gateway, store, open, openOn } = lossy();
    const { revision } = await (isSame ? store : open()).create(lease(1, { ttl: 60 }));
    aroundCall(gateway, is, async (call) => {
      const answer = await call();
      await clock.advance(180_000);
      return answer;
    });
    await fails((isSame ? store : openOn(gateway)).renew(KEY, { expected: revision, ttl: 60 }), "conflict");
  });
}

Deno.test("the time of a lease counts from the question, however late the answer comes", async () => {
  const { clock, gateway, store } = lossy();
  const asked = clock.now();
  const late = async (call: () => Promise<JsonObject>) => {
    const answer = await call();
    await clock.advance(20_000);
    return answer;
  };
  aroundCall(gateway, (method) => method === "lease/grant", late);
  const made = await store.create(lease(1, { ttl: 60 }));
  assert.equal(made.expires, asked + 60_000);
  const again = clock.now();
  aroundCall(gateway, (method) => method === "lease/keepalive", late);
  assert.equal(
    (await store.renew(KEY, { expected: made.revision, ttl: 60 })).expires,
    again + 60_000,
  );
});

Deno.test("leases that a full etcd did not grant are not looked for when it is well again", async () => {
  const { etcd, gateway, store } = lossy();
  etcd.full = true;
  for (let i = 0; i < 50; i++) await fails(store.create(lease(1)), "store");
  etcd.full = false;
  gateway.calls.clear();
  await store.create(lease(1));
  assert.deepEqual([...gateway.calls], [["lease/grant", 1], ["kv/txn", 1]]);
});

Deno.test("of many leases that were perhaps granted in vain each write revokes a few, until none is left", async () => {
  const { etcd, gateway, store } = lossy();
  for (let i = 0; i < 20; i++) {
    gateway.lostReplies = 1;
    await fails(store.create(lease(1)), "store");
  }
  assert.equal(etcd.leases.size, 20);
  gateway.calls.clear();
  await store.create(lease(1));
  assert.ok(gateway.calls.get("lease/revoke")! <= 4, `${gateway.calls.get("lease/revoke")} revoked at once`);
  for (let i = 2; i <= 6; i++) await store.create(lease(i));
  assert.equal(etcd.leases.size, 6);
});
