import assert from "node:assert/strict";
import { type Document, EMPTY } from "../../lease/document/document.ts";
import { MemoryStore, SharedDocument } from "../../lease/document/memory_store.ts";
import { ensureNetwork } from "../../lease/manager.ts";
import type { LeaseRecord, NewRecord, Settled } from "../../lease/store.ts";
import { applyImport, exportedText, importedDocument, planImport } from "../../lease/transfer.ts";
import { FlanError } from "../../net/errors.ts";
import { fails } from "../conformance/store_suite.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const config = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
const value = (ip: string) => ({
  PublicIP: ip,
  PublicIPv6: null,
  BackendType: "vxlan",
  BackendData: { VNI: 1 },
});
const nobody = { PublicIP: "0.0.0.0", PublicIPv6: null };

const leases: readonly NewRecord[] = [
  { key: "10.5.1.0-24", value: value("192.0.2.1"), node: "a", ttl: 3600 },
  { key: "10.5.2.0-24", value: value("192.0.2.2"), node: undefined, ttl: 7200 },
  { key: "10.5.3.0-24", value: value("192.0.2.3"), node: "c", ttl: undefined },
  { key: "10.5.4.0-24", value: nobody, node: "d", ttl: undefined },
  { key: "10.5.5.0-24", value: nobody, node: undefined, ttl: undefined },
  { key: "10.5.6.0-24&fd00:5:6::-64", value: value("192.0.2.6"), node: undefined, ttl: 60 },
];

async function filled(clock: FakeClock, records = leases): Promise<MemoryStore> {
  const store = new MemoryStore({ clock });
  await ensureNetwork(store, config);
  for (const lease of records) await store.create(lease);
  return store;
}

async function exported(store: MemoryStore): Promise<Document> {
  return importedDocument(exportedText(await store.read()), "test");
}

async function importInto(store: MemoryStore, document: Document, clock: FakeClock) {
  const { steps, failure } = await applyImport(
    store,
    planImport(document, await store.read(), clock.now()),
    document,
  );
  assert.equal(failure, undefined);
  return steps;
}

const known = ({ key, value, node, expires }: LeaseRecord) => ({ key, value, node, expires });
const actions = (steps: readonly { action: string; subnet: string }[]) =>
  steps.map(({ action, subnet }) => `${action} ${subnet}`);

Deno.test("an empty store becomes the same network: config, values, holders, ends, reservations", async () => {
  const clock = new FakeClock();
  const source = await filled(clock);
  const target = new MemoryStore({ clock });
  await clock.advance(1500);
  const steps = await importInto(target, await exported(source), clock);
  assert.deepEqual([...new Set(steps.map(({ action }) => action))], ["create"]);
  const [from, to] = [await source.read(), await target.read()];
  assert.deepEqual(to.records.map(known), from.records.map(known));
  assert.deepEqual(to.config?.value, config);
});

Deno.test("a second import changes nothing, whatever became of the leases meanwhile", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock));
  const target = new MemoryStore({ clock });
  await importInto(target, document, clock);
  const mine = (await target.read()).records[0]!;
  await target.update({ ...mine, value: value("192.0.2.77"), ttl: 5 }, mine.revision);
  const before = await target.read();
  const steps = await importInto(target, document, clock);
  assert.deepEqual([...new Set(steps.map(({ action }) => action))], ["same"]);
  assert.deepEqual(await target.read(), before);
});

Deno.test("what ended is skipped, and what lives is not prolonged", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock));
  await clock.advance(3600_000);
  const target = new MemoryStore({ clock });
  const steps = await importInto(target, document, clock);
  assert.deepEqual(steps.filter(({ action }) => action === "skip").map(({ subnet }) => subnet), [
    "10.5.1.0/24",
    "10.5.6.0/24",
  ]);
  for (const { key, expires } of (await target.read()).records) {
    assert.equal(expires, document.leases.get(key)!.expires);
  }
});

Deno.test("no lease is stolen: subnets, nodes and addresses that stand in the target stay as they are", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock));
  const target = await filled(clock, [
    { key: "10.5.1.0-24", value: value("192.0.2.99"), node: "other", ttl: 60 },
    { key: "10.5.2.128-25", value: value("192.0.2.98"), node: "half", ttl: 60 },
    { key: "10.5.30.0-24", value: value("192.0.2.97"), node: "c", ttl: 60 },
    { key: "10.5.40.0-24", value: value("192.0.2.6"), node: "six", ttl: 60 },
  ]);
  const before = (await target.read()).records;
  const steps = await importInto(target, document, clock);
  assert.deepEqual(actions(steps), [
    "same config",
    "conflict 10.5.1.0/24",
    "conflict 10.5.2.0/24",
    "conflict 10.5.3.0/24",
    "create 10.5.4.0/24",
    "create 10.5.5.0/24",
    "conflict 10.5.6.0/24",
  ]);
  const after = (await target.read()).records;
  for (const record of before) assert.deepEqual(after.find(({ key }) => key === record.key), record);
  assert.equal(after.length, before.length + 2);
});

Deno.test("a reservation and a lease of the same host are not the same, and neither replaces the other", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock, [leases[0]!, leases[2]!]));
  const target = await filled(clock, [{ ...leases[0]!, ttl: undefined }, { ...leases[2]!, ttl: 60 }]);
  const before = await target.read();
  const steps = await importInto(target, document, clock);
  assert.deepEqual(actions(steps), ["same config", "conflict 10.5.1.0/24", "conflict 10.5.3.0/24"]);
  assert.deepEqual(await target.read(), before);
});

Deno.test("into another network nothing is imported, also where it was started while the import ran", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock));
  const shared = new SharedDocument();
  const target = new MemoryStore({ clock, shared });
  const early = planImport(document, await target.read(), clock.now());
  await ensureNetwork(target, { Network: "10.6.0.0/16" });
  const before = await target.read();
  for (const steps of [early, planImport(document, before, clock.now())]) {
    const error = await fails(applyImport(target, steps, document), "failed");
    assert.match(
      error.message,
      /^Cannot import into memory:: another network config .* nothing was written$/,
    );
  }
  assert.deepEqual(await target.read(), before);
});

Deno.test("the order of the config's fields does not make it another network", async () => {
  const clock = new FakeClock();
  const target = new MemoryStore({ clock });
  await ensureNetwork(target, { Backend: { Type: "vxlan" }, Network: "10.5.0.0/16" });
  const steps = planImport(await exported(await filled(clock)), await target.read(), clock.now());
  assert.equal(steps[0]!.action, "same");
});

Deno.test("leases that are no subnets of the network are skipped, each with its reason", async () => {
  const clock = new FakeClock();
  const good = await exported(await filled(clock, [leases[0]!]));
  const bad = { ...good.leases.get("10.5.1.0-24")!, node: undefined };
  const more = ["nonsense", "10.6.1.0-24", "0.0.0.0-0"].map((key) => [key, { ...bad, key }] as const);
  const document = { ...good, leases: new Map([...good.leases, ...more]) };
  const target = new MemoryStore({ clock });
  const steps = await importInto(target, document, clock);
  const skipped = steps.filter(({ action }) => action === "skip");
  assert.deepEqual(skipped.map(({ subnet }) => subnet), [
    "0.0.0.0/0",
    "10.6.1.0/24",
    "nonsense",
  ]);
  assert.ok(skipped.every(({ reason }) => reason!.length > 10));
  assert.equal((await target.read()).records.length, 1);
});

Deno.test("a lease that cannot be used is copied where flannel can read it, and a conflict where not: never left out", async () => {
  const clock = new FakeClock();
  const good = await exported(await filled(clock, [leases[0]!]));
  const one = { ...good.leases.get("10.5.1.0-24")!, node: undefined };
  const odd = [
    { ...one, key: "10.5.2.0-24", value: { ...value("192.0.2.2"), BackendData: "\u001b[2J" } },
    { ...one, key: "10.5.3.0-24", value: 7 },
    { ...one, key: "10.5.4.0-24&no-such", value: value("192.0.2.4") },
  ];
  const document = {
    ...good,
    leases: new Map([...good.leases, ...odd.map((odd) => [odd.key, odd] as const)]),
  };
  const target = new MemoryStore({ clock });
  const expected = ["10.5.1.0/24", "10.5.2.0/24", "10.5.3.0/24", "10.5.4.0-24&no-such"];
  for (const action of ["create", "same"]) {
    const steps = await importInto(target, document, clock);
    const actual = actions(steps).slice(1);
    const actions_ = [action, action, "conflict", "conflict"];
    assert.deepEqual(actual, expected.map((subnet, i) => `${actions_[i]} ${subnet}`));
  }
  const { records } = await target.read();
  assert.deepEqual(records.map(({ value }) => value), [one.value, odd[0]!.value]);
});

Deno.test("of several leases of one host in the document the newest is created, whatever its subnet", async () => {
  const clock = new FakeClock();
  const source = await filled(clock, [
    { key: "10.5.5.0-24", value: value("192.0.2.5"), node: "e", ttl: 60 },
    { key: "10.5.9.0-24", value: value("192.0.2.5"), node: "e", ttl: 60 },
    { key: "10.5.7.0-24", value: value("192.0.2.7"), node: undefined, ttl: 60 },
    { key: "10.5.6.0-24", value: value("192.0.2.7"), node: undefined, ttl: 60 },
  ]);
  const target = new MemoryStore({ clock });
  assert.deepEqual(actions(await importInto(target, await exported(source), clock)), [
    "create config",
    "conflict 10.5.5.0/24",
    "create 10.5.6.0/24",
    "conflict 10.5.7.0/24",
    "create 10.5.9.0/24",
  ]);
});

Deno.test("of two leases in the document that overlap, the one that hosts go by is created", async () => {
  const clock = new FakeClock();
  const wide = { key: "10.5.0.0-20", value: value("192.0.2.9"), node: "w", ttl: 60 };
  const document = await exported(await filled(clock, [wide, leases[0]!]));
  const target = new MemoryStore({ clock });
  assert.deepEqual(actions(await importInto(target, document, clock)), [
    "create config",
    "conflict 10.5.0.0/20",
    "create 10.5.1.0/24",
  ]);
});

Deno.test("a subnet that is taken while the import runs is a conflict, and the rest is done", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock));
  const target = new MemoryStore({ clock });
  const plan = planImport(document, await target.read(), clock.now());
  await target.create({ key: "10.5.2.0-24", value: value("192.0.2.99"), node: "quick", ttl: 60 });
  const { steps } = await applyImport(target, plan, document);
  assert.deepEqual(steps.filter(({ action }) => action === "conflict").map(({ subnet }) => subnet), [
    "10.5.2.0/24",
  ]);
  assert.equal((await target.read()).records.length, leases.length);
});

/** A store that writes its document as often as it is asked, and knows how often that was. */
class CountingStore extends MemoryStore {
  writes = 0;
  /** After how many leases of an import it gives up. */
  limit = Infinity;

  override create(lease: NewRecord): Promise<LeaseRecord> {
    this.writes++;
    return super.create(lease);
  }

  override async createAll(leases: readonly NewRecord[], settled: Settled): Promise<void> {
    this.writes++;
    await super.createAll(leases.slice(0, this.limit), settled);
    if (leases.length > this.limit) {
      throw new FlanError("Cannot reach the store: no answer", { op: "store", code: "store" });
    }
  }
}

Deno.test("ten thousand leases are imported in one write", async () => {
  const clock = new FakeClock();
  const good = await exported(await filled(clock, [leases[0]!]));
  const many = Array.from({ length: 10_000 }, (_, i): [string, LeaseRecord] => {
    const key = `10.5.${i >> 6}.${(i & 63) << 2}-30`;
    const ip = `192.168.${i >> 8}.${i & 255}`;
    return [key, { key, value: value(ip), node: `node-${i}`, expires: clock.now() + 60_000, revision: 1 }];
  });
  const target = new CountingStore({ clock });
  const steps = await importInto(target, { ...good, leases: new Map(many) }, clock);
  assert.equal(steps.filter(({ action }) => action === "create").length, 10_001);
  assert.equal(target.writes, 1);
  assert.equal((await target.read()).records.length, 10_000);
});

Deno.test("where the store gives up half-way the steps say what was done, and the next import does the rest", async () => {
  const clock = new FakeClock();
  const document = await exported(await filled(clock));
  const target = new CountingStore({ clock });
  const plan = planImport(document, await target.read(), clock.now());
  target.limit = 2;
  const { steps, failure } = await applyImport(target, plan, document);
  assert.equal(failure?.code, "store");
  const created = (await target.read()).records.map(({ key }) => key.replace("-", "/"));
  assert.deepEqual(actions(steps).slice(0, 3), ["create config", ...created.map((one) => `create ${one}`)]);
  assert.deepEqual([...new Set(steps.slice(3).map(({ action }) => action))], ["failed"]);
  // Where nothing was done at all there is nothing to tell but why.
  target.limit = 0;
  const rest = planImport(document, await target.read(), clock.now());
  await fails(applyImport(target, rest, document), "store");
  target.limit = Infinity;
  const after = await importInto(target, document, clock);
  assert.equal(after.filter(({ action }) => action === "create").length, leases.length - 2);
});

Deno.test("a lease that ends in the year 9999 is imported for as long as any store can keep it", async () => {
  const clock = new FakeClock();
  const good = await exported(await filled(clock, [leases[0]!]));
  const late = { ...good.leases.get("10.5.1.0-24")!, expires: 253_402_300_799_000 };
  const document = { ...good, leases: new Map([[late.key, late]]) };
  const [, step] = planImport(document, await new MemoryStore({ clock }).read(), clock.now());
  assert.equal(step!.lease!.ttl, 9_000_000_000);
});

Deno.test("a lease whose end the store does not say is not exported, since it would end never", () => {
  const record = { key: "10.5.1.0-24", value: value("192.0.2.1"), node: "a", expires: Infinity, revision: 1 };
  const snapshot = { revision: 1, config: undefined, records: [record], past: [] };
  assert.throws(() => exportedText(snapshot), /^FlanError: Cannot export the lease "?10\.5\.1\.0-24/);
});

Deno.test("what is no document is refused with its place, and an empty one imports nothing", () => {
  for (const text of ["", "{", "[]", '{"schema":"flan.network/v9"}']) {
    assert.throws(() => importedDocument(text, "x.json"), /^FlanError: Cannot import x\.json: it/);
  }
  const snapshot = { revision: 0, config: undefined, records: [], past: [] };
  assert.deepEqual(planImport(EMPTY, snapshot, 0), []);
  const unusable = { ...EMPTY, config: { value: { Network: "nonsense" }, revision: 1 } };
  assert.throws(() => planImport(unusable, snapshot, 0), /^FlanError: Cannot import the network config: /);
});
