/** The agent and its own lease: renewed, lost, taken again, and a store that is away. */
import assert from "node:assert/strict";
import { TestNetwork, TTL, vxlanNetwork } from "../lib/agents.ts";

const MINUTE = 60_000;

Deno.test("lease: renewed when a third of its life is left, and not before", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const first = await network.record(host.subnet!);
  await network.clock.advance(TTL * 1000 * 2 / 3 - MINUTE);
  assert.equal((await network.record(host.subnet!))?.expires, first?.expires);
  await network.clock.advance(2 * MINUTE);
  const second = await network.record(host.subnet!);
  assert.ok(second!.expires! - first!.expires! >= TTL * 1000 * 2 / 3, "renewed once, for the whole TTL");
  await network.clock.advance(10 * TTL * 1000);
  assert.equal((await network.record(host.subnet!))?.node, host.node);
  assert.deepEqual([host.codes, host.lines("lease-lost")], [[], []]);
});

Deno.test("lease: renewed in time even when the wall clock was set back", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const first = await network.record(host.subnet!);
  network.clock.jump(-10 * TTL * 1000);
  await network.clock.advance(TTL * 1000 * 2 / 3 + MINUTE);
  assert.notEqual((await network.record(host.subnet!))?.revision, first?.revision);
});

Deno.test("lease: a clock that jumps past its end costs the lease, and the same subnet is taken again", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const { subnet } = host;
  network.clock.jump(2 * TTL * 1000);
  await network.clock.advance(MINUTE);
  assert.equal(host.subnet, subnet);
  assert.ok((await network.record(subnet!))!.expires! > network.clock.now());
  assert.deepEqual(host.codes, []);
});

Deno.test("lease: released by somebody, it is taken again at once with the same subnet", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  const { subnet } = host;
  host.kernel.attempted.length = 0;
  await network.remove(subnet!);
  await network.clock.turn();
  assert.equal((await network.record(subnet!))?.node, host.node);
  assert.deepEqual([host.subnet, host.codes], [subnet, []]);
  assert.deepEqual(host.kernel.attempted, [], "the data plane did not notice");
});

Deno.test("lease: taken by another host meanwhile, it is lost: another subnet, nothing left of the first", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  await usurp(network, subnet, { n: 7 });
  await network.clock.turn();
  assert.notEqual(host.subnet, subnet);
  assert.deepEqual(host.codes, ["lease-lost"]);
  assert.equal((await network.record(host.subnet!))?.node, host.node);
  assert.equal((await network.record(subnet))?.node, "node-7");
  const own = host.subnet!.replace("/24", "/32");
  assert.deepEqual(host.keys("address"), [`address ${own} dev flan.1`]);
  assert.deepEqual(host.keys("route"), [`route ${subnet} metric 0`]);
  assert.match(host.subnetEnv, new RegExp(host.subnet!.replace("0/24", "1/24")));
  assert.deepEqual(host.lines("lease-lost"), [`Lease ${subnet} was lost, this host has ${host.subnet} now`]);
});

Deno.test("lease: lost with no subnet left, nothing is announced and the data plane goes; it comes back with a subnet", async () => {
  await using network = await TestNetwork.start({
    ...vxlanNetwork,
    SubnetMin: "10.5.1.0",
    SubnetMax: "10.5.2.0",
  });
  const other = await network.peer(9);
  const host = await network.joined(1);
  const subnet = host.subnet!;
  await usurp(network, subnet, { n: 7 });
  await network.clock.turn();
  assert.equal(host.subnet, undefined);
  assert.deepEqual(host.codes, ["lease-lost", "lease-not-renewed"]);
  assert.deepEqual([host.keys(), host.subnetEnv], [[], ""]);
  const { records } = await network.store.read();
  assert.ok(records.every(({ node }) => node !== host.node));
  await network.clock.advance(10 * MINUTE);
  assert.equal(host.lines("lease-not-renewed").length, 1, "said once");
  await network.remove(other.subnet);
  await network.clock.advance(MINUTE);
  assert.equal(host.subnet, other.subnet);
  assert.deepEqual(host.keys("route"), [`route ${subnet} metric 0`]);
  assert.notEqual(host.subnetEnv, "");
  assert.deepEqual(host.codes, ["lease-lost"], "what lived in the old subnet is still cut off");
  await network.remove(subnet);
  await network.remove(other.subnet);
  await network.clock.advance(MINUTE);
});

Deno.test("store away: view, kernel and lease stay, the code is raised once, and back-off grows until it is back", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const { subnet } = host;
  host.store.away = true;
  await network.clock.turn();
  assert.deepEqual(host.codes, ["store-unreachable"]);
  host.kernel.attempted.length = 0;
  const reads: number[] = [];
  for (let i = 0; i < 6; i++) {
    const before = host.store.reads;
    await network.clock.advance(5 * MINUTE);
    reads.push(host.store.reads - before);
  }
  assert.ok(reads[0]! > reads[5]! && reads[5]! <= 20, `attempts in five minutes: ${reads}`);
  assert.deepEqual([host.kernel.attempted, host.subnet], [[], subnet]);
  assert.equal(host.lines("store-unreachable").length, 1);
  await network.remove(peer.subnet);
  const newcomer = await network.peer(3);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
  host.store.away = false;
  await network.clock.advance(MINUTE);
  assert.deepEqual(host.keys("route"), [`route ${newcomer.subnet} metric 0`]);
  assert.deepEqual([host.codes, host.lines("store-unreachable").length], [[], 2]);
});

Deno.test("store away past the lease's end: nothing is given up, and it is taken again when the store is back", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const { subnet } = host;
  host.store.away = true;
  await network.clock.advance(2 * TTL * 1000);
  assert.equal(await network.record(subnet!), undefined, "it has expired");
  assert.deepEqual(host.codes, ["lease-expired", "store-unreachable"]);
  assert.deepEqual([host.lines("store-unreachable").length, host.lines("lease-not-renewed")], [1, []]);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
  host.store.away = false;
  while (host.codes.includes("store-unreachable")) await network.clock.advance(100);
  assert.equal((await network.record(subnet!))?.node, host.node, "at once, and not at the next attempt");
  assert.deepEqual([host.subnet, host.codes], [subnet, []]);
});

Deno.test("store away when the lease is due: whatever else happens, the next attempt waits for its time", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.store.away = true;
  await network.clock.advance(TTL * 1000 - MINUTE);
  assert.deepEqual(host.codes, ["store-unreachable"]);
  const before = host.store.updates;
  assert.ok(before > 5 && before < 60, `${before} attempts in twenty minutes`);
  for (let i = 0; i < 50; i++) {
    host.kernel.stack.overrun();
    await network.clock.advance(10);
  }
  assert.ok(host.store.updates - before <= 1, `${host.store.updates - before} attempts in half a second`);
});

Deno.test("store restored from an old copy: the lease is written again", async () => {
  await using network = await TestNetwork.start();
  const old = network.shared.document;
  const host = await network.joined(1);
  await network.clock.advance(10 * TTL * 1000);
  network.shared.document = old;
  for (const bell of network.shared.bells) bell.ring();
  await network.clock.advance(MINUTE);
  assert.equal((await network.record(host.subnet!))?.node, host.node);
  assert.deepEqual(host.codes, []);
});

Deno.test("store emptied: a network that works is not taken down for it", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const { revision } = network.shared.document;
  network.shared.document = {
    revision: revision + 1,
    config: undefined,
    leases: new Map(),
    past: new Map(),
  };
  for (const bell of network.shared.bells) bell.ring();
  await network.clock.advance(10 * MINUTE);
  assert.deepEqual(host.codes, ["store-unreachable"]);
  await network.clock.advance(2 * TTL * 1000);
  assert.deepEqual(host.codes, ["lease-expired", "store-unreachable"]);
  assert.deepEqual(host.lines("lease-not-renewed"), []);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
});

Deno.test("store that refuses writes only: told in its own name, while the watch goes on, until a write succeeds", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.store.refusing = true;
  await network.clock.advance(TTL * 1000 * 2 / 3 + MINUTE);
  const peer = await network.peer(2);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`], "it can be read");
  assert.deepEqual([host.codes, host.lines("store-denied").length], [["store-denied"], 1]);
  host.store.refusing = false;
  await network.clock.advance(2 * MINUTE);
  assert.deepEqual([host.codes, host.lines("store-denied").length], [[], 2]);
});

Deno.test("store that comes and goes every second: ten lines a minute, and the last word stands in the log", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  for (let second = 0; second < 300; second++) {
    host.agent.health.set(
      ["store-unreachable"],
      second % 2 === 1 ? [] : [{
        code: "store-unreachable",
        subject: "memory:",
        message: "Cannot reach the store: no answer",
      }],
      0,
    );
    await network.clock.advance(1000);
  }
  await network.clock.advance(2 * MINUTE);
  const lines = host.lines("store-unreachable");
  assert.ok(lines.length >= 20 && lines.length <= 60, `${lines.length} lines in five minutes`);
  const left = lines.reduce((sum, line) => sum + Number(/; (\d+) lines like this/.exec(line)?.[1] ?? 0), 0);
  assert.equal(lines.length + left, 300, "every line is told or counted");
  assert.match(lines.at(-1)!, /^Well again: /);
});

Deno.test("lease: a store restored to another revision and another word of this host is taken by its value", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const old = network.shared.document;
  await network.clock.advance(3 * TTL * 1000);
  const { subnet } = host;
  // As long ago, but alive: what was restored knows the lease at a smaller revision.
  const leases = new Map(
    [...old.leases].map(([key, record]) =>
      [key, { ...record, expires: network.clock.now() + TTL * 1000 }] as const
    ),
  );
  network.shared.document = { ...old, leases };
  for (const bell of network.shared.bells) bell.ring();
  await network.clock.advance(MINUTE);
  assert.equal(host.agent.state.own?.revision, (await network.record(subnet!))?.revision);
  await network.clock.advance(TTL * 1000);
  assert.equal((await network.record(subnet!))?.node, host.node, "and renewed from there");
  assert.deepEqual([host.subnet, host.codes], [subnet, []]);
});

Deno.test("lease: a flanneld with this host's address that overwrites it is told of and never fought", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  host.kernel.attempted.length = 0;
  const flanneld = () => usurp(network, subnet, { n: 1, node: null });
  await flanneld();
  await network.clock.turn();
  assert.equal((await network.record(subnet))?.node, host.node, "taken back at once");
  assert.deepEqual([host.subnet, host.codes], [subnet, ["lease-overwritten"]]);
  const taken: number[] = [];
  for (let minute = 0; minute < 120; minute++) {
    if ((await network.record(subnet))?.node === host.node) taken.push(minute);
    await flanneld();
    await network.clock.advance(MINUTE);
  }
  assert.ok(taken.length >= 5 && taken.length <= 8, `taken back after minutes ${taken}`);
  assert.deepEqual([host.subnet, host.codes], [subnet, ["lease-overwritten"]]);
  assert.equal(host.lines("lease-overwritten").length, 1);
  assert.deepEqual(host.kernel.attempted, [], "the data plane did not notice");
  await network.clock.advance(3 * 60 * MINUTE);
  assert.deepEqual(host.codes, [], "flanneld was stopped");
  assert.equal((await network.record(subnet))?.node, host.node);
});

Deno.test("lease: a host that was frozen past its lease asks the store first, and leaves what another has", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  // Frozen: nothing reaches it, and it does nothing, until long after another host has its subnet.
  await host.stop();
  await network.clock.advance(2 * TTL * 1000);
  await network.peer(7, { wish: subnet });
  const { updates } = host.store;
  host.kernel.attempted.length = 0;
  host.store.deaf = true;
  await host.run();
  assert.notEqual(host.subnet, subnet);
  assert.ok(host.store.updates > updates, "the last snapshot was no reason to believe in the lease");
  assert.deepEqual(host.lines("lease-lost"), [`Lease ${subnet} was lost, this host has ${host.subnet} now`]);
  assert.deepEqual(host.keys("address"), [`address ${host.subnet!.replace("/24", "/32")} dev flan.1`]);
  assert.match(host.subnetEnv, new RegExp(host.subnet!.replace("0/24", "1/24")));
  assert.equal((await network.record(subnet))?.node, "node-7");
});

Deno.test("lease: frozen past its end with the store away, nothing in the kernel changes, and repairs go on", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const subnet = host.subnet!;
  await host.stop();
  host.store.away = true;
  await network.clock.advance(2 * TTL * 1000);
  host.kernel.attempted.length = 0;
  await host.run();
  await network.clock.advance(MINUTE);
  assert.deepEqual([host.kernel.attempted, host.subnet], [[], subnet]);
  host.kernel.stack.delete({ ...host.agent.state.plan.objects.find(({ kind }) => kind === "route")! }, 7);
  await network.clock.advance(MINUTE);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
});

/** Another host holds the subnet of a lease that was removed, before its former holder sees either. */
Deno.test("lease: a clone of this host is told of, not fought, and forgotten when it is gone", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  await usurp(network, subnet, { n: 7, node: host.node });
  await network.clock.turn();
  assert.deepEqual([host.subnet, host.codes], [subnet, ["duplicate-node"]]);
  const record = await network.record(subnet);
  assert.equal((record!.value as { PublicIP: string }).PublicIP, "192.0.2.7", "nothing is corrected");
  await network.clock.advance(TTL * 1000);
  assert.deepEqual(host.codes, [], "this host's renewal announces it again");
});

async function usurp(
  network: TestNetwork,
  subnet: string,
  { n, node = `node-${n}` }: { n: number; node?: string | null },
): Promise<void> {
  const key = subnet.replace("/", "-");
  const record = await network.record(subnet);
  const value = {
    PublicIP: `192.0.2.${n}`,
    BackendType: "vxlan",
    BackendData: { VNI: 1, VtepMAC: "0e:00:00:00:00:07" },
  };
  const write = { key, value, node: node ?? undefined, ttl: 30 * 24 * 3600 };
  await network.store.update(write, record!.revision);
}
