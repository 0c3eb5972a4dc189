/** What changes while agents run (peers, leases, the config, the underlay) is followed by the hosts it concerns. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { leaseKey } from "../../lease/key.ts";
import { openStore } from "../../lease/open.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { underTraffic } from "../lib/traffic.ts";

type Three = [Member, Member, Member];

/** Three hosts without IPv6 that have joined. */
async function three(hosts: Hosts, args: readonly string[] = []): Promise<Three> {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  return await hosts.joinAll(args) as Three;
}

/** The stored lease of a member, rewritten with other values. */
async function rewriteLease(hosts: Hosts, { subnet }: Member, fields: Record<string, Json>): Promise<void> {
  const store = await openStore(hosts.lab.store, { clock: systemClock, log: silent });
  const key = leaseKey({ subnet });
  const record = (await store.read()).records.find((one): one is LeaseRecord => one.key === key)!;
  const value = { ...record.value as Record<string, Json>, ...fields };
  await store.update({ key, value, node: record.node, ttl: 3600 }, record.revision);
  store.close();
}

/** Waits until the FDB of `from` has exactly these remote addresses. */
async function remotesAre(hosts: Hosts, from: Member, remotes: readonly string[]): Promise<void> {
  const wanted = [...remotes].sort().join();
  await from.agent.err.until(`FDB entries to ${wanted}`, async () => {
    const fdb = await hosts.show(from.host, "bridge", "fdb show dev flan.1");
    return fdb.filter((row) => "dst" in row).map((row) => String(row["dst"])).sort().join() === wanted;
  });
}

async function vxlanOf(hosts: Hosts, host: LabHost): Promise<{ mtu: number; local: string; port: number }> {
  const [link] = await hosts.show(host, "ip", "-details link show dev flan.1");
  const { info_data: { local, port } } = link!["linkinfo"] as { info_data: { local: string; port: number } };
  return { mtu: Number(link!["mtu"]), local, port };
}

/** Waits until the file contains the text. */
async function fileSays(path: string, text: string): Promise<void> {
  using watcher = Deno.watchFs(path.slice(0, path.lastIndexOf("/")));
  if (Deno.readTextFileSync(path).includes(text)) return;
  for await (const _ of watcher) if (Deno.readTextFileSync(path).includes(text)) return;
}

hostTest("a peer's new endpoint in the store is followed without a lost packet", {
  lab: "endpoint",
  hosts: 3,
}, async (hosts) => {
  const [from, to, third] = await three(hosts);
  await hosts.ip(to.host, "address add 192.0.2.22/24 dev eth0");

  const { sent, received } = await underTraffic(hosts, { from: from.host, to: to.container }, async () => {
    await rewriteLease(hosts, to, { PublicIP: "192.0.2.22" });
    await remotesAre(hosts, from, ["192.0.2.22", third.host.address]);
  });

  assert.equal(received, sent);
  await hosts.allReach([from, to, third]);
});

hostTest("a peer that comes back with another MAC is followed, and the old one forgotten", {
  lab: "mac",
  hosts: 3,
}, async (hosts) => {
  const members = await three(hosts);
  const [from, to, third] = members;
  const file = `${to.host.stateDir}/host.json`;
  const state = JSON.parse(Deno.readTextFileSync(file));
  const old = state.macs["flan.1"];
  await to.agent.end("SIGTERM");
  Deno.writeTextFileSync(file, JSON.stringify({ ...state, macs: { "flan.1": "02:00:00:00:00:42" } }));

  const { sent, received } = await underTraffic(hosts, { from: from.host, to: third.container }, async () => {
    to.agent = await hosts.up(to.host);
    await from.agent.err.until("the new MAC", async () => {
      const shown = JSON.stringify([
        await hosts.show(from.host, "bridge", "fdb show dev flan.1"),
        await hosts.show(from.host, "ip", "neighbour show dev flan.1"),
      ]);
      return !shown.includes(old) && shown.split("02:00:00:00:00:42").length === 3;
    });
  });

  assert.equal(received, sent, "packets to other peers are not concerned");
  await hosts.allReach(members);
});

hostTest("a host that leaves disappears from the others", { lab: "leaves", hosts: 3 }, async (hosts) => {
  const [from, gone, third] = await three(hosts);
  const { sent, received } = await underTraffic(hosts, { from: from.host, to: third.container }, async () => {
    assert.equal((await hosts.lab.flan(gone.host, ["down"])).code, 0);
    await Promise.all([from, third].map((one) => hosts.knows(one, [from, third])));
  });
  assert.equal(received, sent);
  await remotesAre(hosts, from, [third.host.address]);
  assert.doesNotMatch((await hosts.lab.flan(from.host, ["routes"])).stdout, new RegExp(gone.subnet));
});

hostTest(
  "a lease that somebody revokes under a running agent is taken again",
  { lab: "revoked", hosts: 3 },
  async (hosts) => {
    const members = await three(hosts);
    const [victim, other] = members;
    const before = await namespaceState(victim.host);
    const mark = victim.agent.err.lines.length;

    const { code, stderr } = await hosts.lab.flan(other.host, ["lease", "revoke", victim.subnet, "--yes"]);

    assert.equal(code, 0, stderr);
    await victim.agent.err.line(new RegExp(`Leased ${victim.subnet} `), mark);
    await Promise.all(members.map((one) => hosts.knows(one, members)));
    await hosts.allReach(members);
    assert.deepEqual(await namespaceState(victim.host), before);
    assert.equal((await hosts.status(victim.host)).code, 0);
  },
);

hostTest(
  "a changed network config is followed by every host",
  { lab: "config", hosts: 3 },
  async (hosts, t) => {
    const members = await three(hosts);
    const [first] = members;

    await t.step("another port", async () => {
      const { code, stderr } = await hosts.lab.flan(first.host, [
        "config",
        "set",
        "Backend.Port",
        "4789",
        "--force",
      ]);
      assert.equal(code, 0, stderr);
      for (const { host, agent } of members) {
        await agent.err.until(
          "port 4789",
          async () => (await vxlanOf(hosts, host).catch(() => undefined))?.port === 4789,
        );
      }
      await Promise.all(members.map((one) => hosts.knows(one, members)));
      await hosts.allReach(members);
    });

    await t.step(
      "one that no host could use, or that shuts hosts out, is refused and changes nothing",
      async () => {
        const before = await namespaceState(first.host);
        for (
          const [key, value] of [["Backend.Type", "nosuch"], ["Network", "10.9.0.0/16"], [
            "SubnetLen",
            "99",
          ]] as const
        ) {
          const { code, stderr } = await hosts.lab.flan(first.host, ["config", "set", key, value]);
          assert.equal(code, 2, stderr);
          assert.match(stderr, /^flan: Cannot /);
        }
        assert.deepEqual(await namespaceState(first.host), before);
      },
    );

    await t.step("one that another program breaks is reported, and the old one stays", async () => {
      const before = await namespaceState(first.host);
      const store = await openStore(hosts.lab.store, { clock: systemClock, log: silent });
      const { config } = await store.read();
      const mark = first.agent.err.lines.length;
      const broken = await store.writeConfig({ Network: "nonsense" }, config!.revision);
      await first.agent.err.line(/code=network-config/, mark);
      assert.deepEqual((await hosts.status(first.host)).problems.map((one) => one.code), ["network-config"]);
      assert.deepEqual(await namespaceState(first.host), before);
      await store.writeConfig(config!.value, broken.revision);
      await first.agent.err.line(/Well again: .*code=network-config/, mark);
      await hosts.allReach(members);
      store.close();
    });
  },
);

hostTest("a new underlay address or MTU of a host is followed by it and its peers", {
  lab: "underlay",
  hosts: 3,
}, async (hosts, t) => {
  const members = await three(hosts);
  const [from, moved, third] = members;

  await t.step("another address", async () => {
    await hosts.ip(
      moved.host,
      "address delete 192.0.2.2/24 dev eth0",
      "address add 192.0.2.33/24 dev eth0",
      "route add default via 192.0.2.254",
    );
    await remotesAre(hosts, from, ["192.0.2.33", third.host.address]);
    await remotesAre(hosts, third, ["192.0.2.33", from.host.address]);
    await moved.agent.err.until(
      "the device's address",
      async () => (await vxlanOf(hosts, moved.host).catch(() => undefined))?.local === "192.0.2.33",
    );
    await Promise.all(members.map((one) => hosts.knows(one, members)));
    await hosts.allReach(members);
    await hosts.isWell(moved.host);
  });

  for (const mtu of [1400, 1500]) {
    await t.step(`an MTU of ${mtu}`, async () => {
      await hosts.ip(from.host, `link set eth0 mtu ${mtu}`);
      await fileSays(`${from.host.runDir}/subnet.env`, `FLANNEL_MTU=${mtu - 50}\n`);
      assert.equal((await vxlanOf(hosts, from.host)).mtu, mtu - 50);
      await hosts.allReach(members);
    });
  }
});
