/** A kernel with IPsec: what it is told, what of it counts as somebody else's, and that no key is told twice. */
import assert from "node:assert/strict";
import { ipsec } from "../../backends/ipsec.ts";
import { toCommands } from "../../kernel/commands.ts";
import { differences } from "../../kernel/differences.ts";
import { drift, satisfies } from "../../kernel/drift.ts";
import { eventKeyOf, keyOfEvent } from "../../kernel/event_key.ts";
import type { Kernel, KernelEvent } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import type { XfrmPolicy, XfrmState } from "../../kernel/xfrm.ts";
import type { KeyLedger, SpentKey } from "../../kernel/xfrm_tables.ts";
import { FlanError } from "../../net/errors.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeXfrm, forgetful } from "../lib/fake_xfrm.ts";
import { ipsecHost, ipsecOwner, ipsecView, nonceOf } from "../lib/overlay.ts";

const EPOCH = 20_000;

function planned(peers: readonly number[], epoch = EPOCH): readonly KernelObject[] {
  return ipsec.plan(ipsecView(peers), ipsecHost({}, epoch)).objects;
}

function reconcilerOn(kernel: Kernel): Reconciler {
  return new Reconciler(kernel, { owner: ipsecOwner, clock: new FakeClock() });
}

/** Reconciles without a failure, and returns what was done, as words. */
async function reconcile(reconciler: Reconciler, objects: readonly KernelObject[]): Promise<string[]> {
  const report = await reconciler.reconcile(objects, { resync: true });
  assert.deepEqual([report.failures.map(({ error }) => error.message), report.conflicts], [[], []]);
  return report.done.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
}

const foreignState: XfrmState = {
  kind: "xfrm-state",
  source: "192.0.2.7",
  destination: "192.0.2.1",
  spi: 0xc1234567,
  requestId: 1,
  interfaceId: 0,
  key: "",
};

const foreignPolicy: XfrmPolicy = {
  kind: "xfrm-policy",
  direction: "in",
  source: "10.9.0.0/16",
  destination: "10.8.0.0/16",
  priority: 400_000,
  action: "tunnel",
  ends: { source: "192.0.2.7", destination: "192.0.2.1" },
  requestId: 1,
  interfaceId: 0,
};

Deno.test("ipsec kernel: a new epoch makes the new state before the old one goes, and nothing else", async () => {
  const fake = new FakeXfrm();
  const reconciler = reconcilerOn(fake.open().kernel);
  await reconcile(reconciler, planned([2, 3]));
  const done = await reconcile(reconciler, planned([2, 3], EPOCH + 1));
  assert.deepEqual(done.map((one) => one.split(" ").slice(0, 2).join(" ")), [
    ...Array(4).fill("add xfrm-state"),
    ...Array(4).fill("delete xfrm-state"),
  ]);
});

Deno.test("ipsec kernel: after many epochs an index has another key, whose state is a new one", async () => {
  const fake = new FakeXfrm();
  const reconciler = reconcilerOn(fake.open().kernel);
  await reconcile(reconciler, planned([2]));
  fake.done.length = 0;
  const done = await reconcile(reconciler, planned([2], EPOCH + 4));
  assert.deepEqual(done.map((one) => one.split(" ")[0]), Array(4).fill("replace"));
  assert.deepEqual(fake.done.map((one) => one.split(" ")[0]), Array(4).fill(["delete", "add"]).flat());
  assert.deepEqual(await reconcile(reconciler, planned([2], EPOCH + 4)), []);
});

Deno.test("ipsec kernel: what others made stays, also when this host leaves", async () => {
  const fake = new FakeXfrm();
  for (const object of [foreignState, foreignPolicy]) fake.objects.set(keyOf(object), object);
  const { kernel } = fake.open();
  await reconcile(reconcilerOn(kernel), planned([2]));
  const { removed, failures } = await teardown(kernel, { ...ipsecOwner, links: [] });
  assert.equal(removed.filter(({ kind }) => kind === "xfrm-state" || kind === "xfrm-policy").length, 4 + 7);
  assert.deepEqual(failures, []);
  assert.deepEqual([...fake.objects.values()], [foreignState, foreignPolicy]);
});

Deno.test("ipsec kernel: what a lost device leaves is found, and taken away, where IPsec is built into the kernel", async () => {
  const fake = new FakeXfrm();
  fake.isModule = false;
  let isThere = true;
  const { kernel, inner } = fake.open({ ledger: { ...forgetful, isThere: () => isThere } });
  await reconcile(reconcilerOn(kernel), planned([2]));
  const link = planned([2]).find(({ kind }) => kind === "link")!;
  assert.deepEqual(await inner.apply([{ verb: "delete", object: link }]), []);
  await teardown(kernel, { ...ipsecOwner, links: [] });
  assert.deepEqual([...fake.objects.values()], []);
  isThere = false;
  const { reads } = fake;
  await kernel.dump({ links: [], sysctls: [] });
  assert.equal(fake.reads, reads, "of a host that never had it nothing is asked");
});

Deno.test("ipsec kernel: somebody's state in our place is told of, and not touched", async () => {
  const fake = new FakeXfrm();
  const [mine] = planned([2]).filter((object) => object.kind === "xfrm-state");
  const taken = { ...foreignState, spi: mine!.spi, destination: mine!.destination };
  fake.objects.set(keyOf(taken), taken);
  const report = await reconcilerOn(fake.open().kernel).reconcile(planned([2]), { resync: true });
  assert.deepEqual(report.conflicts.map(({ code }) => code), ["foreign-xfrm-state"]);
  assert.equal(fake.objects.get(keyOf(taken)), taken);
});

Deno.test("ipsec kernel: of a host that never had it nothing is asked, since that would load modules", async () => {
  const fake = new FakeXfrm();
  const { kernel } = fake.open();
  await kernel.dump({ links: ["flan.1"], sysctls: [] });
  assert.equal(fake.reads, 0);
  await reconcile(reconcilerOn(kernel), planned([2]));
  await kernel.dump({ links: [], sysctls: [], linksOnly: true });
  assert.equal(fake.reads, 0);
  await kernel.dump({ links: [], sysctls: [] });
  assert.equal(fake.reads, 1);
});

Deno.test("ipsec kernel: who has a network by IPsec is told what others change of it, from before the first look on", async () => {
  const fake = new FakeXfrm();
  const { kernel } = fake.open({ ledger: { ...forgetful, isThere: () => true } });
  const stop = new AbortController();
  const heard: KernelEvent[] = [];
  const reading = (async () => {
    for await (const event of kernel.events(stop.signal)) if (event.group === "ipsec") heard.push(event);
  })();
  await reconcile(reconcilerOn(kernel), planned([2]));
  await kernel.hear();
  assert.ok(heard.length > 0 && heard.every(({ own }) => own));
  heard.length = 0;
  const lost = [...fake.objects.values()].slice(0, 2);
  for (const object of lost) fake.lose(object);
  await kernel.hear();
  assert.deepEqual(heard.map(({ own, action }) => [own, action]), [[false, "delete"], [false, "delete"]]);
  assert.deepEqual(heard.map(keyOfEvent), lost.map(eventKeyOf));
  kernel.close();
  await reading;
  assert.equal(fake.isHeard, false);
});

Deno.test("ipsec kernel: where only others use IPsec nobody listens to what they do", async () => {
  const fake = new FakeXfrm();
  fake.objects.set(keyOf(foreignState), foreignState);
  const { kernel } = fake.open();
  const stop = new AbortController();
  kernel.events(stop.signal);
  await kernel.dump({ links: ["flan.1"], sysctls: [] });
  assert.deepEqual([fake.reads, fake.isHeard], [1, false]);
  await reconcile(reconcilerOn(kernel), planned([2]));
  await kernel.dump({ links: [], sysctls: [] });
  assert.equal(fake.isHeard, true);
  stop.abort();
});

Deno.test("ipsec kernel: keys are in the ledger before the kernel has one, and of a used one none is told", async () => {
  const fake = new FakeXfrm();
  const spent: (readonly SpentKey[])[] = [];
  let isFresh = true;
  const ledger: KeyLedger = {
    ...forgetful,
    spend(keys) {
      const there = [...fake.objects.values()].map((object) => object.kind === "xfrm-state" && object.key);
      assert.ok(!keys.some(({ fingerprint }) => there.includes(fingerprint)));
      spent.push(keys);
      return Promise.resolve(keys.map(({ nonces }) => isFresh || nonces.includes(nonceOf(3))));
    },
  };
  const { kernel } = fake.open({ ledger });
  await reconcile(reconcilerOn(kernel), planned([2]));
  assert.deepEqual(spent.flat().map(({ epoch }) => epoch - EPOCH), [-1, 0, 1, 0]);
  assert.ok(spent.flat().every(({ nonces }) => nonces.includes(nonceOf(1)) && nonces.includes(nonceOf(2))));
  for (const [key, { kind }] of fake.objects) if (kind === "xfrm-state") fake.objects.delete(key);
  isFresh = false;
  const report = await reconcilerOn(kernel).reconcile(planned([2, 3]), { resync: true });
  assert.equal(report.failures.length, 4);
  assert.match(
    report.failures[0]!.error.message,
    /^Cannot add IPsec state 192\.0\.2\.2 to 192\.0\.2\.1 spi 0x[0-9a-f]+: its key was given to the kernel before, so this host announces another nonce$/,
  );
  const there = [...fake.objects.values()].filter((object) => object.kind === "xfrm-state");
  assert.equal(there.length, 4, "those of the other peer");
  assert.ok(there.every(({ source, destination }) => [source, destination].includes("192.0.2.3")));
});

Deno.test("ipsec kernel: without the pre-shared key policies are made and states are not", async () => {
  const fake = new FakeXfrm();
  const { kernel } = fake.open({ secrets: { find: () => undefined } });
  const report = await reconcilerOn(kernel).reconcile(planned([2]), { resync: true });
  assert.match(report.failures[0]!.error.message, /the network's pre-shared key is not known on this host/);
  assert.deepEqual(new Set([...fake.objects.values()].map(({ kind }) => kind)), new Set(["xfrm-policy"]));
});

Deno.test("ipsec kernel: while keys cannot be noted policies are made and states are not", async () => {
  const fake = new FakeXfrm();
  const spend = () =>
    Promise.reject(new FlanError("Cannot write ipsec.json: full", { op: "x", code: "failed" }));
  const { kernel } = fake.open({ ledger: { ...forgetful, spend } });
  const report = await reconcilerOn(kernel).reconcile(planned([2]), { resync: true });
  assert.deepEqual([report.error, report.failures.length], [undefined, 4]);
  assert.match(
    report.failures[0]!.error.message,
    /it cannot be noted that its key is given: Cannot write ipsec/,
  );
  assert.deepEqual(new Set([...fake.objects.values()].map(({ kind }) => kind)), new Set(["xfrm-policy"]));
});

Deno.test("ipsec kernel: a kernel without ESP is refused, and who may not look is told so", async () => {
  const fake = new FakeXfrm();
  fake.isWhole = false;
  await assert.rejects(fake.open().kernel.require(["ipsec"]), { code: "unsupported" });
  await fake.open().kernel.require(["vxlan"]);
  const bare = fake.open();
  bare.inner.lacks.add("ipsec");
  await assert.rejects(bare.kernel.require(["ipsec"]), {
    code: "unsupported",
    hint: "modprobe xfrm_interface",
  });
  await reconcile(reconcilerOn(fake.open().kernel), planned([2]));
  fake.isHidden = true;
  const request = { links: ["flan.ipsec"], sysctls: [] };
  await assert.rejects(fake.open().kernel.dump(request), { errno: "EPERM" });
  const told: string[] = [];
  const objects = await fake.open({ unseen: ({ message }) => told.push(message) }).kernel.dump(request);
  assert.deepEqual([told, objects.some(({ kind }) => kind === "link")], [["Cannot read IPsec states"], true]);
});

Deno.test("ipsec kernel: a state is compared by its key, and not by how that is come by", () => {
  const [state] = planned([2]).filter((object) => object.kind === "xfrm-state");
  const { derivation: _, ...found } = state!;
  assert.ok(satisfies(state!, found));
  assert.equal(differences(state!, found), "");
  assert.ok(!satisfies(state!, { ...found, key: "0123456789abcdef" }));
  assert.equal(differences(state!, { ...found, key: "0" }), `key is 0, not ${state!.key}`);
  const { changes } = drift([state!], [found], ipsecOwner);
  assert.deepEqual(changes, []);
});

Deno.test("ipsec kernel: policies are ip's commands, and states are told of without their key", () => {
  const objects = planned([2]).filter(({ kind }) => kind.startsWith("xfrm"));
  const { requestId } = objects[0] as XfrmState;
  const lines = toCommands(objects.map((object) => ({ verb: "add", object })));
  assert.equal(
    lines[3],
    "# flan up makes the IPsec state 192.0.2.1 to 192.0.2.2 spi 0x80000404, whose key it derives from Backend.PSK"
      .replace("0x80000404", `0x${(objects[3] as XfrmState).spi.toString(16)}`),
  );
  const policies = [
    `ip xfrm policy add src 10.5.1.0/24 dst 10.5.1.0/24 dir in priority 500 tmpl proto esp reqid ${requestId} mode transport level use`,
    `ip xfrm policy add src 10.5.0.0/16 dst 10.5.1.0/24 dir in action block priority 2000 tmpl proto esp reqid ${requestId} mode transport level use`,
    `ip xfrm policy add src 10.5.1.0/24 dst 10.5.2.0/24 dir out if_id ${requestId} priority 1000 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid ${requestId} mode tunnel`,
  ];
  assert.deepEqual(policies.filter((line) => !lines.includes(line)), []);
  const removed = toCommands(objects.map((object) => ({ verb: "delete", object })));
  assert.match(removed[0]!, /^ip xfrm state delete src 192\.0\.2\.2 dst 192\.0\.2\.1 proto esp spi 0x/);
  assert.ok(
    removed.includes(`ip xfrm policy delete src 10.5.1.0/24 dst 10.5.2.0/24 dir out if_id ${requestId}`),
  );
});
