/** What the etcd store writes and when: flannel's form, lost replies, etcd's leases. */
import assert from "node:assert/strict";
import { encodeLease } from "../../../lease/decode.ts";
import { EtcdStore } from "../../../lease/etcd/etcd_store.ts";
import { acquire, type Claim, renew } from "../../../lease/manager.ts";
import type { Json } from "../../../net/json.ts";
import { silent } from "../../../net/log.ts";
import { config, fails, lease } from "../../conformance/store_case.ts";
import type { FakeGateway } from "../../lib/fake_gateway.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

type Network = ReturnType<typeof fakeNetwork>;

const KEY = "10.5.1.0-24";
const HOUR = 3600_000;

function standing({ etcd, prefix }: Network, key = KEY) {
  return etcd.keys.get(`${prefix}/subnets/${key}`);
}

function textOf(network: Network, key: string): string | undefined {
  const value = network.etcd.keys.get(`${network.prefix}/${key}`)?.wire.value;
  return value === undefined ? undefined : atob(value as string);
}

/** Puts a key as flanneld does: with a new lease of 24 h, and whatever stands there. */
async function flannelPuts({ etcd, prefix }: Network, value: string, ttl = 86_400) {
  const gateway = etcd.gateway();
  const { ID } = ttl === 0 ? { ID: "0" } : await gateway.call("lease/grant", { TTL: String(ttl) });
  const put = { key: btoa(`${prefix}/subnets/${KEY}`), value: btoa(value), lease: ID! };
  await gateway.call("kv/txn", { success: [{ request_put: put }] });
}

/** Every lease of etcd has exactly one key, and every key's lease is alive. */
function assertNoLeak({ etcd }: Network): void {
  for (const [id, { keys }] of etcd.leases) assert.equal(keys.size, 1, `lease ${id} has ${keys.size} keys`);
}

// FLANNEL.md 3.1: the values as flanneld writes them, byte for byte.
const examples: readonly (readonly [string, Json | undefined, string])[] = [
  [
    "vxlan",
    { VNI: 1, VtepMAC: "c6:d2:32:6f:8f:44" },
    '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
  ],
  ["host-gw", undefined, '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"host-gw"}'],
  ["", undefined, '{"PublicIP":"192.168.64.3","PublicIPv6":null}'],
  ["ipip", undefined, '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"ipip"}'],
  [
    "wireguard",
    { PublicKey: "K", Port: 51820 },
    '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"K","Port":51820}}',
  ],
  [
    "extension",
    "out put",
    '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"extension","BackendData":"out put"}',
  ],
];

for (const [backendType, backendData, expected] of examples) {
  Deno.test(`a lease of backend "${backendType}" is written as flanneld writes it, byte for byte`, async () => {
    const network = fakeNetwork();
    const value = encodeLease({ publicIp: "192.168.64.3", backendType, backendData });
    await network.open().create({ key: KEY, value, node: "n", ttl: 86_400 });
    assert.equal(textOf(network, `subnets/${KEY}`), expected);
    assert.equal(network.etcd.leases.get(standing(network)!.lease)!.ttl, 86_400);
  });
}

Deno.test("under flannel's subnets stands nothing but leases, and flan's words stand apart, each with a lease or none", async () => {
  const network = fakeNetwork();
  const store = network.open();
  await store.writeConfig(config, 0);
  await store.create(lease(1));
  await store.create(lease(2, { ttl: undefined }));
  const third = await store.create(lease(3));
  await store.remove(third.key, third.revision);
  const keys = network.etcd.keys.range({ start: "\0", end: "\0" }, 0);
  const { prefix } = network;
  assert.deepEqual(
    keys.map(({ key, lease }) => `${key.slice(prefix.length)} ${lease === "0" ? "-" : "leased"}`),
    [
      "/config -",
      "/flan/leases/10.5.1.0-24 -",
      "/flan/leases/10.5.2.0-24 -",
      "/flan/leases/10.5.3.0-24 -",
      "/subnets/10.5.1.0-24 leased",
      "/subnets/10.5.2.0-24 -",
    ],
  );
  const written = network.clock.now() / 1000;
  assert.equal(
    textOf(network, "flan/leases/10.5.1.0-24"),
    `{"node":"node-1","ttl":3600,"written":${written}}`,
  );
  assert.equal(textOf(network, "flan/leases/10.5.3.0-24"), `{"node":"node-3","released":${written}}`);
  assertNoLeak(network);
});

Deno.test("a lost race leaves no lease of etcd behind, and one of the winner's alone", async () => {
  const network = fakeNetwork();
  await network.open().create(lease(1));
  await fails(network.open().create(lease(1, { node: "late" })), "conflict");
  assert.equal(network.etcd.leases.size, 1);
  assertNoLeak(network);
});

for (const repeats of [false, true]) {
  const how = repeats ? "and repeated" : "and reported";
  Deno.test(`a create whose reply is lost ${how} is found again, whichever of its calls it was`, async () => {
    for (let call = 0; call < 2; call++) {
      const network = fakeNetwork();
      const { etcd, clock } = network;
      const gateway = etcd.gateway();
      const store = network.openOn(gateway);
      await store.writeConfig(config, 0);
      const claim: Claim = {
        ...{ node: "n", publicIp: "192.0.2.1", backendType: "vxlan", backendData: undefined, ttl: 3600 },
      };
      // The calls of a create: a grant, then the transaction.
      loseReply(gateway, ["lease/grant", "kv/txn"][call]!, { repeats });
      const first = await acquire(store, claim, { clock, log: silent }).catch((error) => error);
      assert.equal(first instanceof Error, !repeats, String(first));
      const second = await acquire(store, claim, { clock, log: silent });
      const { records } = await store.read();
      assert.deepEqual(records.map(({ node }) => node), ["n"]);
      assert.equal(records[0]!.revision, second.revision);
      assert.equal(etcd.leases.size, 1);
      assertNoLeak(network);
      await clock.advance(3000_000);
      assert.equal((await store.read()).records.length, 1);
    }
  });
}

Deno.test("a renewal whose reply is lost is found again by its node, and its lease of etcd lives on", async () => {
  for (const repeats of [false, true]) {
    const network = fakeNetwork();
    const { etcd, clock } = network;
    const gateway = etcd.gateway();
    const store = network.openOn(gateway);
    await store.writeConfig(config, 0);
    const claim = {
      node: "n",
      publicIp: "192.0.2.1",
      backendType: "vxlan",
      backendData: undefined,
      ttl: 3600,
    };
    const held = await acquire(store, claim, { clock, log: silent });
    const changed = { ...claim, publicIp: "192.0.2.2", ttl: 7200 };
    loseReply(gateway, "kv/txn", { repeats, skip: 1 });
    const first = await renew(store, held, changed).catch((error) => error);
    const last = first instanceof Error ? await renew(store, held, changed) : first;
    const { records } = await store.read();
    assert.deepEqual([records.length, records[0]!.revision], [1, last.revision]);
    assert.equal(etcd.leases.size, 1);
    assertNoLeak(network);
    await clock.advance(7000_000);
    assert.equal((await store.read()).records.length, 1);
  }
});

Deno.test("a renewal keeps the lease of etcd alive without a write, but for once an hour and once a process", async () => {
  const network = fakeNetwork();
  const { etcd, clock } = network;
  const store = network.open();
  let { revision } = await store.create(lease(1, { ttl: 86_400 }));
  const id = standing(network)!.lease;
  for (let i = 0; i < 5; i++) {
    await clock.advance(HOUR / 6);
    const before = revision;
    ({ revision } = await store.renew(KEY, { expected: revision, ttl: 86_400 }));
    assert.equal(revision, before);
  }
  await clock.advance(HOUR / 6);
  const value = textOf(network, `subnets/${KEY}`);
  const after = await store.renew(KEY, { expected: revision, ttl: 86_400 });
  assert.ok(after.revision > revision);
  assert.equal(textOf(network, `subnets/${KEY}`), value);
  const other = await network.open().renew(KEY, { expected: after.revision, ttl: 86_400 });
  assert.ok(other.revision > after.revision);
  assert.deepEqual([standing(network)!.lease, [...etcd.leases.keys()]], [id, [id]]);
  assert.equal((await network.open().read()).records[0]!.node, "node-1");
});

Deno.test("an update with another time takes a new lease of etcd and revokes the old one", async () => {
  const network = fakeNetwork();
  const store = network.open();
  const made = await store.create(lease(1, { ttl: 60 }));
  const old = standing(network)!.lease;
  const updated = await store.update(lease(1, { ttl: 600 }), made.revision);
  assert.ok(!network.etcd.leases.has(old));
  assert.equal(network.etcd.leases.size, 1);
  await store.update(lease(1, { ttl: undefined }), updated.revision);
  assert.equal(network.etcd.leases.size, 0);
  assert.equal(standing(network)!.lease, "0");
});

Deno.test("a lease that flanneld wrote has no node, and one of ours that it overwrites loses its own", async () => {
  const network = fakeNetwork();
  const store = network.open();
  await flannelPuts(network, '{"PublicIP":"192.0.2.9","PublicIPv6":null}');
  const [theirs] = (await store.read()).records;
  assert.deepEqual([theirs!.node, theirs!.expires], [undefined, Infinity]);
  const ours = await store.update(lease(1), theirs!.revision);
  assert.equal((await store.read()).records[0]!.node, "node-1");
  assertNoLeak(network);
  await flannelPuts(network, '{"PublicIP":"192.0.2.9","PublicIPv6":null}');
  const [again] = (await store.read()).records;
  assert.equal(again!.node, undefined);
  await fails(store.renew(KEY, { expected: ours.revision, ttl: 3600 }), "conflict");
});

Deno.test("a reservation that was put by hand stays one through claim and renewal", async () => {
  const network = fakeNetwork();
  const { clock } = network;
  const store = network.open();
  await store.writeConfig(config, 0);
  await flannelPuts(network, '{"PublicIP":"192.0.2.1"}', 0);
  assert.equal((await store.read()).records[0]!.expires, undefined);
  const claim = { node: "n", publicIp: "192.0.2.1", backendType: "vxlan", backendData: undefined, ttl: 60 };
  const held = await acquire(store, claim, { clock, log: silent });
  assert.deepEqual([held.subnet, held.expires], ["10.5.1.0/24", undefined]);
  const renewed = await renew(store, held, { ...claim, publicIp: "192.0.2.2" });
  assert.equal(renewed.expires, undefined);
  await clock.advance(10 * HOUR);
  assert.deepEqual([standing(network)!.lease, network.etcd.leases.size], ["0", 0]);
});

Deno.test("two prefixes in one etcd know nothing of each other", async () => {
  const network = fakeNetwork();
  const { etcd, clock } = network;
  const at = (prefix: string) =>
    new EtcdStore(etcd.gateway(), { url: `etcd://fake${prefix}`, prefix, clock, log: silent });
  const [a, b, c] = [at("/net"), at("/network"), at("/net/subnets")];
  await a.writeConfig(config, 0);
  await b.writeConfig({ Network: "10.6.0.0/16" }, 0);
  const made = await a.create(lease(1));
  const theirs = await b.create(lease(1, { node: "b" }));
  assert.deepEqual((await a.read()).records.map(({ node }) => node), ["node-1"]);
  assert.deepEqual((await c.read()).records, []);
  await a.remove(made.key, made.revision);
  assert.deepEqual((await a.read()).records, []);
  assert.deepEqual((await b.read()).records.map(({ revision }) => revision), [theirs.revision]);
});

Deno.test("a full etcd is named, with what helps, and can still be read and kept alive", async () => {
  const network = fakeNetwork();
  const store = network.open();
  const made = await store.create(lease(1));
  network.etcd.full = true;
  const error = await fails(store.create(lease(2)), "store");
  assert.match(error.message, /etcd.* is full \(NOSPACE\)/);
  assert.match(error.hint!, /alarm disarm/);
  assert.equal((await store.renew(KEY, { expected: made.revision, ttl: 3600 })).revision, made.revision);
  const findings = await store.inspect();
  assert.deepEqual(findings.map(({ code, severity }) => [code, severity]), [["alarm", "high"]]);
});

Deno.test("more words are forgotten than one transaction may hold, and one that is written meanwhile stays", async () => {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  const store = network.openOn(gateway);
  for (let i = 0; i < 250; i++) {
    const made = await store.create(lease(i, { key: `10.${i}.1.0-24` }));
    await store.remove(made.key, made.revision);
  }
  const other = network.open();
  beforeCall(gateway, "kv/txn", { run: () => other.create(lease(7, { key: "10.7.1.0-24" })) });
  const before = gateway.calls.get("kv/txn")!;
  assert.equal(await store.forget(network.clock.now() + 1000), 249);
  assert.equal(gateway.calls.get("kv/txn")! - before, 3 + 50);
  const { records, past } = await store.read();
  assert.deepEqual([records.map(({ node }) => node), past.length], [["node-7"], 0]);
});

/** Does `run` before the first call of `method` after `skip` others. */
function beforeCall(
  gateway: FakeGateway,
  method: string,
  { skip = 0, run }: { skip?: number; run: () => unknown },
): void {
  const call = gateway.call.bind(gateway);
  let left = skip;
  gateway.call = async (called, request) => {
    if (called === method && left-- === 0) await run();
    return await call(called, request);
  };
}

/** Loses the reply of the first call of `method` after `skip` others. */
function loseReply(
  gateway: FakeGateway,
  method: string,
  { repeats, skip = 0 }: { repeats: boolean; skip?: number },
): void {
  beforeCall(gateway, method, {
    skip,
    run() {
      gateway.lostReplies = 1;
      gateway.repeats = repeats;
    },
  });
}
