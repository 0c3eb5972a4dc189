/** A real etcd that forgets, is full or goes back in time under hosts with leases in it. */
import assert from "node:assert/strict";
import { codesIn, ETCD_PORT, etcdTest, type EtcdWorld, isWell, joinAll } from "../lib/etcd_hosts.ts";
import { Endurance } from "../lib/endurance.ts";
import type { Member } from "../lib/hosts.ts";
import { outlives } from "../lib/outage.ts";

type Three = [Member, Member, Member];

/** What flanneld writes on a host of its own; without a lease of etcd's it is a reservation. */
const foreign = (number: number, address = 10 + number) => ({
  PublicIP: `198.51.100.${address}`,
  BackendType: "vxlan",
  BackendData: { VNI: 1, VtepMAC: `02:00:00:00:00:${String(number).padStart(2, "0")}` },
});

/** Subnets that no host of these tests gets. */
const subnetOf = (number: number) => `10.244.${100 + number}.0`;
const keyOf = (number: number) => `subnets/${subnetOf(number)}-24`;
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Waits until the routes of `member` to foreign hosts lead where these say, and nowhere else. */
async function foreignRoutes(
  { hosts }: EtcdWorld,
  member: Member,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  await member.agent.err.until(`${wanted.size} foreign hosts`, async () => {
    const routes = await hosts.show(member.host, "ip", "route show proto 113");
    const fdb = await hosts.show(member.host, "bridge", "fdb show dev flan.1");
    const there = routes.map((row) => String(row["dst"])).filter((dst) => /^10\.244\.1\d\d\./.test(dst));
    const ends = fdb.map((row) => String(row["dst"])).filter((dst) => dst.startsWith("198.51.100."));
    return there.sort().join() === [...wanted.keys()].sort().join() &&
      ends.sort().join() === [...wanted.values()].sort().join();
  });
}

etcdTest("a host that was cut off while etcd was compacted sees all that changed meanwhile", {
  lab: "compact",
  hosts: 3,
}, async (world) => {
  const { hosts, etcd, server } = world;
  const members = await joinAll(world) as Three;
  const [near, , away] = members;
  const map = (entries: readonly [number, number][]) =>
    new Map(entries.map(([number, address]) => [`${subnetOf(number)}/24`, `198.51.100.${address}`]));
  await etcd.write(Object.fromEntries(numbers(0, 30).map((n) => [keyOf(n), foreign(n)])));
  const before = map(numbers(0, 30).map((n) => [n, 10 + n]));
  await Promise.all(members.map((one) => foreignRoutes(world, one, before)));
  const endurance = await Endurance.start(hosts, members);
  const mark = away.agent.err.lines.length;
  const refuse = `table inet cut { chain in { type filter hook input priority 0;
    ip saddr ${away.host.address} tcp dport ${ETCD_PORT} reject with tcp reset; }; }`;
  assert.equal((await hosts.lab.on(server, ["nft", refuse])).code, 0);
  await away.agent.err.line(/code=store-unreachable/, mark);

  // Ten leave, ten change their address, ten stay and ten come.
  await etcd.write(Object.fromEntries(
    numbers(0, 10).flatMap((n) => [
      [keyOf(n), undefined],
      [`flan/leases/${subnetOf(n)}-24`, { node: "00000000000000aa", released: 1_800_000_000 }],
    ]),
  ));
  await etcd.write(Object.fromEntries(numbers(10, 20).map((n) => [keyOf(n), foreign(n, 100 + n)])));
  await etcd.write(Object.fromEntries(numbers(30, 40).map((n) => [keyOf(n), foreign(n)])));
  const after = map(numbers(10, 40).map((n) => [n, n < 20 ? 100 + n : 10 + n]));
  await foreignRoutes(world, near, after);
  await etcd.ctl("compact", await revisionOf(world), "--physical");
  assert.equal((await hosts.lab.on(server, ["nft", "delete table inet cut"])).code, 0);

  await foreignRoutes(world, away, after);
  await Promise.all(members.map(isWell));
  await endurance.traffic.noneLost();
});

etcdTest("hosts keep their leases in an etcd that is full, and one that lost its own waits for room", {
  lab: "full",
  hosts: 3,
  etcd: { args: ["--quota-backend-bytes=4000000"] },
}, async (world) => {
  const { hosts, etcd } = world;
  const members = await joinAll(world) as Three;
  const [poor, rich] = members;
  const endurance = await Endurance.start(hosts, members);
  await endurance.unnoticed(async () => {
    const junk = "x".repeat(1_000_000);
    await assert.rejects(async () => {
      for (let i = 0; i < 10; i++) await etcd.feed(junk, "put", "/junk");
    }, /database space exceeded/);

    // Renewals need no room. A lease that ended does, to be taken again.
    const mark = poor.agent.err.lines.length;
    await etcd.ctl("lease", "revoke", await leaseOf(world, poor));
    const line = await poor.agent.err.line(/ warning .*NOSPACE.* code=store-read-only/, mark);
    assert.match(line, /etcd/);
    const refused = await hosts.lab.flan(rich.host, ["store", "check"]);
    assert.equal(refused.code, 3, refused.stdout);
    assert.match(refused.stdout, /NOSPACE/);
    await endurance.traffic.lasts(10_000);
    assert.deepEqual((await codesIn(rich)).filter((code) => code !== "peer-expired"), []);

    await etcd.ctl("del", "/junk");
    await etcd.ctl("compact", await revisionOf(world), "--physical");
    await etcd.ctl("defrag");
    await etcd.ctl("alarm", "disarm");
    await Promise.all(members.map(isWell));
  });
});

etcdTest("an etcd restored from an older backup is believed, and learns the leases that it does not know", {
  lab: "restore",
  hosts: 3,
}, async (world) => {
  const { hosts, etcd } = world;
  await etcd.write({ config: { Network: "10.244.0.0/16", Backend: { Type: "vxlan" } } });
  const backup = await etcd.backup();
  const members = await joinAll(world) as Three;
  // More than the hosts will write again.
  for (let i = 0; i < 20; i++) await etcd.ctl("put", "/elsewhere", String(i));
  const revision = Number(await revisionOf(world));
  const endurance = await Endurance.start(hosts, members);

  await outlives(
    members,
    { begin: () => etcd.kill(), lasts: 3000, end: () => etcd.restore(backup) },
    endurance,
  );

  assert.ok(Number(await revisionOf(world)) < revision, "the store went back");
  await hosts.allReach(members);
});

/** Of the whole store, now. */
async function revisionOf({ etcd }: EtcdWorld): Promise<string> {
  const [{ Status }] = JSON.parse(await etcd.ctl("endpoint", "status", "-w", "json"));
  return String(Status.header.revision);
}

/** The etcd lease that a member's key hangs on, in etcdctl's hexadecimal. */
async function leaseOf({ etcd }: EtcdWorld, { subnet }: Member): Promise<string> {
  const key = `${etcd.prefix}/subnets/${subnet.replace("/", "-")}`;
  // A number too large for JSON.parse.
  const id = /"lease":(\d+)/.exec(await etcd.ctl("get", key, "-w", "json"))![1]!;
  return BigInt(id).toString(16);
}
