/** Ten hosts on a real etcd that dies, or stands still: the network does not notice. */
import assert from "node:assert/strict";
import { etcdTest, joinAll, TTL_MS } from "../lib/etcd_hosts.ts";
import { Endurance } from "../lib/endurance.ts";
import { outlives } from "../lib/outage.ts";

etcdTest("ten hosts outlive the death and the standstill of their etcd", {
  lab: "outage",
  hosts: 10,
}, async (world, t) => {
  const { hosts, etcd } = world;
  const members = await joinAll(world);
  const endurance = await Endurance.start(hosts, members);

  await t.step("kill -9, and a start some seconds later", async () => {
    const before = await leases();
    await outlives(members, {
      begin: () => etcd.kill(),
      lasts: 3000,
      end: () => etcd.restart(),
    }, endurance);
    assert.deepEqual(await leases(), before);
  });

  await t.step("a standstill of twice the leases' time", async () => {
    const before = await leases();
    await outlives(members, {
      begin: () => Promise.resolve(etcd.pause()),
      lasts: 2 * TTL_MS,
      end: () => Promise.resolve(etcd.resume()),
    }, endurance);
    assert.deepEqual(await leases(), before);
  });

  async function leases(): Promise<string[]> {
    const keys = await etcd.ctl("get", "--prefix", "--keys-only", `${etcd.prefix}/subnets/`);
    return keys.split("\n").filter(Boolean).sort();
  }
});
