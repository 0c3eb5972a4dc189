/** What the etcd store makes of answers that no etcd gives, and of keys that others wrote. */
import assert from "node:assert/strict";
import type { JsonObject } from "../../../lease/go_json.ts";
import { decodeRecord, isRefusal } from "../../../lease/decode.ts";
import type { Snapshot } from "../../../lease/store.ts";
import type { Json } from "../../../net/json.ts";
import { config, fails, lease } from "../../conformance/store_case.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

const root = "/coreos.com/network/";
const header = { cluster_id: "1", member_id: "1", revision: "9", raft_term: "2" };
const key = (name: string) => btoa(root + name);
const kv = (name: string, more: JsonObject = {}) => ({
  key: key(name),
  mod_revision: "3",
  value: "e30=",
  ...more,
});

/** Writes a key with bytes of anybody's choice. */
async function putRaw({ etcd }: ReturnType<typeof fakeNetwork>, name: string, value: string) {
  const put = { key: key(name), value: btoa(value) };
  await etcd.gateway().call("kv/txn", { success: [{ request_put: put }] });
}

const answers: Readonly<Record<string, Json>> = {
  "no header": {},
  "a header that is none": { header: [] },
  "no revision": { header: { cluster_id: "1" } },
  "a revision that is a number": { header: { ...header, revision: 9 } },
  "a revision beyond 2^53": { header: { ...header, revision: "9007199254740993" } },
  "a revision that is no number": { header: { ...header, revision: "abc" } },
  "a negative revision": { header: { ...header, revision: "-1" } },
  "a cluster id that is none": { header: { ...header, cluster_id: "x" } },
  "kvs that is a number": { header, kvs: 7 },
  "kvs of numbers": { header, kvs: [7] },
  "a key that is missing": { header, kvs: [{ mod_revision: "3" }] },
  "a key in bad base64": { header, kvs: [{ ...kv("x"), key: "%%%" }] },
  "a value in bad base64": { header, kvs: [kv("config", { value: "%%%" })] },
  "a value that is a number": { header, kvs: [kv("config", { value: 1 })] },
  "a revision of a key that is no number": { header, kvs: [kv("config", { mod_revision: "abc" })] },
  "a key without a revision": { header, kvs: [{ key: key("config"), value: "e30=" }] },
  "a lease id that is none": { header, kvs: [kv("config", { lease: "abc" })] },
  "a key outside the prefix": { header, kvs: [{ ...kv("x"), key: btoa("/elsewhere/config") }] },
  "one key twice": { header, kvs: [kv("config"), kv("config")] },
  "keys out of order": { header, kvs: [kv("subnets/b"), kv("subnets/a")] },
  "a further page after none": { header, more: true },
  "a count that is a word": { header, count: "many" },
  "a million keys": { header, count: "1000000", kvs: [kv("config")], more: true },
};

for (const [name, answer] of Object.entries(answers)) {
  Deno.test(`an answer with ${name} is refused, and what was known stays`, async () => {
    const network = fakeNetwork();
    const gateway = network.etcd.gateway();
    const store = network.openOn(gateway);
    await store.create(lease(1));
    const before = await store.read();
    const call = gateway.call.bind(gateway);
    gateway.call = () => Promise.resolve(answer as JsonObject);
    const error = await fails(store.read(), "store-reply");
    assert.ok(error.message.length < 300, error.message);
    gateway.call = call;
    const after = await store.read();
    assert.equal(after.records[0], before.records[0]);
  });
}

Deno.test("pages without an end are given up at the bound of keys", async () => {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  let page = 0;
  gateway.call = () => {
    const kvs = Array.from(
      { length: 5000 },
      (_, i) => kv(`subnets/${String(page * 5000 + i).padStart(9, "0")}`),
    );
    page++;
    return Promise.resolve({ header, kvs, more: true });
  };
  await fails(network.openOn(gateway).read(), "store-reply");
  assert.ok(page <= 41, `${page} pages`);
});

Deno.test("events that no etcd sends are trouble, and the view stays and goes on afterwards", async () => {
  const events: Json[] = [
    7,
    [7],
    [{ type: "RENAME", kv: kv("config") }],
    [{ type: "PUT" }],
    [{ kv: { ...kv("config"), key: btoa("/elsewhere") } }],
    [{ kv: kv("config", { mod_revision: "x" }) }],
  ];
  for (const bad of events) {
    const network = fakeNetwork();
    const gateway = network.etcd.gateway();
    const store = network.openOn(gateway);
    await store.create(lease(1));
    const { revision } = await store.read();
    const watch = gateway.watch.bind(gateway);
    gateway.watch = async function* () {
      yield { header: { ...header, cluster_id: network.etcd.clusterId }, created: true };
      yield { header, events: bad } as JsonObject;
    };
    const over = new AbortController();
    const troubles: (string | undefined)[] = [];
    const snapshots = store.watch(revision, over.signal, { troubled: (error) => troubles.push(error?.code) })[
      Symbol.asyncIterator
    ]();
    const next = snapshots.next();
    await network.clock.turn();
    await network.clock.advance(1000);
    assert.equal(troubles[0], "store-reply", JSON.stringify(bad));
    gateway.watch = watch;
    await network.open().create(lease(2));
    await network.clock.advance(60_000);
    assert.deepEqual((await next).value.records.map(({ node }: { node: string }) => node), [
      "node-1",
      "node-2",
    ]);
    assert.equal(troubles.at(-1), undefined);
    over.abort();
    await snapshots.return?.();
  }
});

for (const deleted of [false, true]) {
  const what = deleted ? "deletions" : "new keys";
  Deno.test(`a watch that tells of ${what} without an end is trouble at the bound of keys`, async () => {
    const network = fakeNetwork();
    const gateway = network.etcd.gateway();
    const store = network.openOn(gateway);
    await store.create(lease(1));
    const { revision } = await store.read();
    const watch = gateway.watch.bind(gateway);
    const head = { ...header, cluster_id: network.etcd.clusterId };
    let sent = 0;
    gateway.watch = async function* () {
      gateway.watch = watch;
      yield { header: head, created: true };
      while (sent < 1_000_000) {
        const events = Array.from({ length: 50_000 }, () => ({
          ...(deleted ? { type: "DELETE" } : {}),
          kv: kv(`subnets/${sent++}`, { mod_revision: String(sent + 10) }),
        }));
        yield { header: head, events };
      }
    };
    const over = new AbortController();
    const troubles: (string | undefined)[] = [];
    const told = store.watch(revision, over.signal, { troubled: (error) => troubles.push(error?.code) });
    let latest: Snapshot | undefined;
    const following = (async () => {
      for await (const snapshot of told) latest = snapshot;
    })();
    while (troubles.length === 0 && sent < 1_000_000) await network.clock.turn();
    assert.deepEqual(troubles, ["store-reply"]);
    assert.ok(sent <= 250_000, `${sent} events`);
    await network.open().create(lease(2));
    await network.clock.advance(60_000);
    assert.deepEqual(troubles, ["store-reply", undefined]);
    assert.deepEqual(latest!.records.map(({ node }) => node), ["node-1", "node-2"]);
    over.abort();
    await following;
  });
}

Deno.test("a bad lease or word is refused alone, and hides nothing", async () => {
  const network = fakeNetwork();
  const store = network.open();
  await store.writeConfig(config, 0);
  await store.create(lease(1));
  await putRaw(network, "subnets/10.5.2.0-24", "<html>" + "x".repeat(100_000));
  await putRaw(network, "subnets/10.5.3.0-24", "");
  await putRaw(network, "subnets/10.5.4.0-24", '{"PublicIP":"\xff\xfe"}');
  await putRaw(network, "subnets/deep/er", "{}");
  await putRaw(network, "subnets/\xff\xff", "{}");
  await putRaw(network, "flan/leases/10.5.1.0-24", "half {");
  await putRaw(network, "flan/leases/10.5.9.0-24", '{"node":7,"released":"now"}');
  const { records, past } = await store.read();
  assert.deepEqual(records.map(({ key }) => key), [
    ...["10.5.1.0-24", "10.5.2.0-24", "10.5.3.0-24", "10.5.4.0-24", "deep/er"],
  ]);
  assert.deepEqual(records.map((record) => isRefusal(decodeRecord(record))), [false, true, true, true, true]);
  assert.ok(JSON.stringify(records).length < 4000);
  assert.equal(records[0]!.node, undefined);
  assert.deepEqual(past, []);
});

Deno.test("keys that confuse every flanneld are found, each with the command that removes it", async () => {
  const network = fakeNetwork();
  const store = network.open();
  await store.create(lease(1));
  await store.create(lease(2, { key: "10.5.2.0-24&fd00:5:2::-64" }));
  assert.deepEqual(await store.inspect(), []);
  const foreign = ["subnets", "subnets-old", "subnets/10.5.3.0-32", "subnets/300.5.3.0-24", "subnets/it's"];
  for (const name of foreign) await putRaw(network, name, "{}");
  const findings = await store.inspect();
  assert.deepEqual(
    findings.map(({ code, severity }) => `${code} ${severity}`),
    foreign.map(() => "foreign-key high"),
  );
  assert.equal(findings[1]!.hint, "etcdctl del '/coreos.com/network/subnets-old'");
  assert.ok(findings.some(({ hint }) => hint === "etcdctl del '/coreos.com/network/subnets/it'\\''s'"));
});

Deno.test("keys of IPv6 alone are foreign, but for a network that is of IPv6 alone", async () => {
  const ipv6 = { EnableIPv6: true, IPv6Network: "fd00:5::/48" };
  const networks: [Json, string[]][] = [
    [{ Network: "10.5.0.0/16", ...ipv6 }, ["fd00:5:0:1::-64", "?&fd00:5:0:2::-64", "fd00::1-64"]],
    [{ EnableIPv4: false, ...ipv6 }, ["?&fd00:5:0:2::-64", "fd00::1-64"]],
    ["no config", ["fd00:5:0:1::-64", "?&fd00:5:0:2::-64", "fd00::1-64"]],
  ];
  for (const [config, foreign] of networks) {
    const network = fakeNetwork();
    const store = network.open();
    await store.writeConfig(config, 0);
    for (const key of ["fd00:5:0:1::-64", "?&fd00:5:0:2::-64", "fd00::1-64"]) {
      await store.create(lease(1, { key }));
    }
    const named = (await store.inspect()).map(({ hint }) => hint?.match(/subnets\/(.*)'$/)?.[1]).sort();
    assert.deepEqual(named, foreign.toSorted(), JSON.stringify(config));
  }
});

Deno.test("values that no flanneld can read are found, each with the command that removes its key", async () => {
  const network = fakeNetwork();
  const store = network.open();
  await store.create(lease(1));
  const good = [
    ...["null", "{}", '{"PublicIP":"1.2.3.4","PublicIPv6":null}', '{"publicip":"1.2.3.4","Other":[7]}'],
    '{"PublicIP":"1.2.3.4","PublicIPv6":"fd00::3","BackendType":"vxlan","BackendData":7}',
  ];
  const bad = [
    ...["", "half {", "7", '"text"', "[]", '{"PublicIP":null}', '{"PublicIP":""}', '{"PublicIP":"x"}'],
    ...['{"publicIP":7}', '{"PublicIP":"fd00::3"}', '{"PublicIP":"1.2.3.4","PublicIPv6":""}'],
    ...['{"PublicIP":"1.2.3.4","BackendType":7}', `{"PublicIP":"1.2.3.4"}${"[".repeat(100_000)}`],
  ];
  for (const [i, value] of good.entries()) await putRaw(network, `subnets/10.5.${i + 10}.0-24`, value);
  await putRaw(network, "config", "no JSON");
  await putRaw(network, "flan/leases/10.5.1.0-24", "no JSON");
  assert.deepEqual(await store.inspect(), []);
  for (const [i, value] of bad.entries()) await putRaw(network, `subnets/10.5.${i + 100}.0-24`, value);
  const findings = await store.inspect();
  assert.deepEqual(
    findings.map(({ code, severity, hint }) => `${code} ${severity} ${hint}`),
    bad.map((_, i) => `unreadable-lease high etcdctl del '/coreos.com/network/subnets/10.5.${i + 100}.0-24'`),
  );
  assert.match(findings[5]!.message, /drop all its peers: its PublicIP null is no IPv4 address$/);
});

Deno.test("an endpoint that is away is a finding", async () => {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  const error = new Error("Cannot reach http://h2:2379: connection refused");
  gateway.probe = () =>
    Promise.resolve([
      { endpoint: "http://h1:2379", error: undefined, ahead: 0 },
      { endpoint: "http://h2:2379", error, ahead: 0 },
    ]);
  const [finding, ...others] = await network.openOn(gateway).inspect();
  assert.deepEqual([finding!.code, finding!.severity, others], ["endpoint-away", "warning", []]);
  assert.match(finding!.message, /h2:2379.*connection refused/);
});

Deno.test("a clock that differs from those of the endpoints is one finding, with the one that differs most", async () => {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  const found = async (...clocks: number[]) => {
    gateway.probe = () =>
      Promise.resolve(clocks.map((ahead, i) => ({ endpoint: `http://h${i}:2379`, error: undefined, ahead })));
    return (await network.openOn(gateway).inspect()).map(({ code, message }) => `${code}: ${message}`);
  };
  assert.deepEqual(await found(0, 0), []);
  assert.deepEqual(await found(0, -5000, 61_000), [
    "clock-skew: This host's clock is 61 s behind that of the etcd endpoint http://h2:2379",
  ]);
  assert.deepEqual(await found(-5000), [
    "clock-skew: This host's clock is 5 s ahead of that of the etcd endpoint http://h0:2379",
  ]);
});

Deno.test("a database near its quota is a finding", async () => {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  const call = gateway.call.bind(gateway);
  gateway.call = (method, request) =>
    method === "maintenance/status"
      ? Promise.resolve({ header, dbSize: "1900000000" })
      : call(method, request);
  const [finding] = await network.openOn(gateway).inspect();
  assert.equal(finding!.code, "nearly-full");
});
