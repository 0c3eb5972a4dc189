/** Peers whose lease expired: kept for a minute, unless somebody took their place or they left. */
import assert from "node:assert/strict";
import { LINGER_MS, lingering } from "../../agent/linger.ts";
import type { LeaseRecord, PastLease, Snapshot } from "../../lease/store.ts";
import { parseCidr } from "../../net/ip.ts";
import { TestNetwork, TTL } from "../lib/agents.ts";
import { macOf } from "../lib/overlay.ts";

const networks = [parseCidr("10.5.0.0/16")];

function record(n: number, change: Partial<LeaseRecord> & { ip?: string; mac?: string } = {}): LeaseRecord {
  const { ip = `192.0.2.${n}`, mac = macOf(n), ...rest } = change;
  const value = { PublicIP: ip, BackendType: "vxlan", BackendData: { VNI: 1, VtepMAC: mac } };
  return { key: `10.5.${n}.0-24`, value, node: `node-${n}`, expires: 1, revision: n, ...rest };
}

function snapshot(records: readonly LeaseRecord[], past: readonly PastLease[] = []): Snapshot {
  return {
    revision: 1,
    config: undefined,
    records: records.toSorted((a, b) => a.key < b.key ? -1 : 1),
    past,
  };
}

function keysAfter(last: Snapshot, next: Snapshot, node = "own"): string[] {
  return lingering([], { last, next, now: 0, node, networks }).map(({ record }) => record.key);
}

const two = snapshot([record(2)]);
const ended = (how: PastLease["how"]): PastLease => ({ key: "10.5.2.0-24", how, ended: 0 });

for (
  const [what, next, stays] of [
    ["expired, as its store says", snapshot([], [ended("expired")]), true],
    ["vanished without a word, as a flannel host's", snapshot([]), true],
    ["released", snapshot([], [ended("released")]), false],
    ["leased to another host", snapshot([record(7, { key: "10.5.2.0-24" })]), false],
    ["inside a larger live lease", snapshot([record(7, { key: "10.5.0.0-22" })]), false],
    ["around a smaller live lease", snapshot([record(7, { key: "10.5.2.128-25" })]), false],
    [
      "around a live lease that cannot be used",
      snapshot([record(7, { key: "10.5.2.128-25", ip: "" })]),
      false,
    ],
    ["beside live leases", snapshot([record(1), record(3)]), true],
    ["inside a lease of the whole network", snapshot([record(7, { key: "10.5.0.0-16" })]), true],
    ["of a host that has another lease", snapshot([record(7, { node: "node-2" })]), false],
    ["of an address that has another lease", snapshot([record(7, { ip: "192.0.2.2" })]), false],
    ["of a device that has another lease", snapshot([record(7, { mac: macOf(2) })]), false],
  ] as const
) {
  Deno.test(`linger: a lease ${what} ${stays ? "stays" : "goes at once"}`, () => {
    assert.deepEqual(keysAfter(two, next), stays ? ["10.5.2.0-24"] : []);
  });
}

Deno.test("linger: the own lease never does", () => {
  assert.deepEqual(keysAfter(two, snapshot([]), "node-2"), []);
});

Deno.test("linger: each for its own minute, which no further snapshot prolongs, and not once it is leased again", () => {
  const empty = snapshot([]);
  const options = { node: "own", networks };
  const first = lingering([], { ...options, last: two, next: snapshot([record(3)]), now: 0 });
  const both = lingering(first, { ...options, last: snapshot([record(3)]), next: empty, now: 1000 });
  assert.deepEqual(both.map(({ missed }) => missed), [0, 1000]);
  const later = lingering(both, { ...options, last: empty, next: empty, now: LINGER_MS });
  assert.deepEqual(later.map(({ missed }) => missed), [1000]);
  assert.deepEqual(lingering(both, { ...options, last: empty, next: two, now: 2000 }).length, 1);
});

Deno.test("expiry: a peer's entries stay for a minute, told in one line, and then they go", async () => {
  await using network = await TestNetwork.start();
  const peers = [await network.peer(2, { ttl: 100 }), await network.peer(3, { ttl: 100 })];
  const host = await network.joined(1);
  const routes = peers.map(({ subnet }) => `route ${subnet} metric 0`);
  await network.clock.advance(127_000);
  assert.deepEqual(host.keys("route"), routes);
  assert.deepEqual(host.codes, ["peer-expired", "peer-expired"]);
  assert.equal(host.lines("peer-expired").length, 1);
  // It is looked at 30 s after this again, and the minute ends before.
  const stays = await network.peer(4);
  await network.clock.advance(34_000);
  assert.deepEqual([host.keys("route"), host.codes], [[`route ${stays.subnet} metric 0`], []]);
  assert.equal(host.lines("peer-expired").length, 2);
});

Deno.test("expiry: who takes the subnet has it at once", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2, { ttl: 100 });
  const host = await network.joined(1);
  await network.clock.advance(110_000);
  await network.peer(3, { wish: peer.subnet });
  assert.deepEqual(host.codes, []);
  const fdb = [...host.kernel.stack.objects.values()].filter(({ kind }) => kind === "fdb");
  assert.deepEqual(fdb, [{ kind: "fdb", link: "flan.1", mac: macOf(3), remote: "192.0.2.3" }]);
});

Deno.test("expiry: a store that was away from all hosts for longer than their leases live costs no packet", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2), await network.joined(3)];
  const subnets = hosts.map(({ subnet }) => subnet);
  for (const host of hosts) host.store.away = true;
  await network.clock.advance(2 * TTL * 1000);
  for (const host of hosts) host.kernel.attempted.length = 0;
  for (const host of hosts) {
    host.store.away = false;
    // One after the other finds its store again; the first sees nobody alive.
    await network.clock.advance(20_000);
  }
  await network.clock.advance(120_000);
  assert.deepEqual(hosts.map(({ subnet }) => subnet), subnets);
  assert.deepEqual(hosts.map(({ kernel }) => kernel.attempted), [[], [], []]);
  assert.deepEqual(hosts.map(({ codes }) => codes), [[], [], []]);
});

Deno.test("expiry: a clock that jumps ahead of every lease takes no peer away that renews within the minute", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2)];
  for (const host of hosts) host.kernel.attempted.length = 0;
  network.clock.jump(10 * TTL * 1000);
  await network.clock.advance(120_000);
  assert.deepEqual(hosts.map(({ kernel }) => kernel.attempted), [[], []]);
  assert.deepEqual(hosts.map(({ codes }) => codes), [[], []]);
});

Deno.test("expiry: a store that takes no writes for longer than leases live costs no packet, and that is high", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2)];
  const subnets = hosts.map(({ subnet }) => subnet);
  for (const { kernel, store } of hosts) {
    kernel.attempted.length = 0;
    store.full = true;
  }
  await network.clock.advance(3 * TTL * 1000);
  const codes = ["lease-expired", "peer-expired", "store-read-only"];
  assert.deepEqual(hosts.map((host) => host.codes), [codes, codes]);
  assert.equal(hosts[0]!.agent.health.list()[0]!.severity, "high");
  for (const { store } of hosts) store.full = false;
  await network.clock.advance(2 * 60_000);
  assert.deepEqual(hosts.map(({ subnet }) => subnet), subnets);
  assert.deepEqual(hosts.map(({ kernel }) => kernel.attempted), [[], []]);
  assert.deepEqual(hosts.map((host) => host.codes), [[], []]);
});

Deno.test("expiry: whoever has nothing to write for long learns from its own lease that nobody can", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2, { ttl: 100 });
  const host = await network.joined(1);
  host.store.full = true;
  await network.clock.advance(10 * 60_000);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
  assert.deepEqual(host.codes, ["peer-expired", "store-read-only"]);
  host.store.full = false;
  await network.clock.advance(60_000);
  assert.deepEqual(
    host.keys("route"),
    [`route ${peer.subnet} metric 0`],
    "the minute begins with the first write",
  );
  await network.clock.advance(60_000);
  assert.deepEqual([host.keys("route"), host.codes], [[], []]);
});

Deno.test("expiry: what is said of a peer is true of a reservation that was deleted by hand, too", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const value = { PublicIP: "192.0.2.2", BackendType: "vxlan", BackendData: { VNI: 1, VtepMAC: macOf(2) } };
  await network.store.create({ key: "10.5.2.0-24", value, node: "node-2", ttl: undefined });
  await network.clock.turn();
  const { document } = network.shared;
  const leases = new Map([...document.leases].filter(([key]) => key !== "10.5.2.0-24"));
  network.shared.document = { ...document, revision: document.revision + 1, leases };
  for (const bell of network.shared.bells) bell.ring();
  await network.clock.turn();
  assert.deepEqual(host.lines("peer-expired"), [
    "The lease 10.5.2.0/24 of 192.0.2.2 is gone from the store without being released; its packets go on for 60 s",
  ]);
});
