/** The on-demand mode: the kernel asks, the agent answers from the leases, and only for what is talked to. */
import assert from "node:assert/strict";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { stackArgs } from "../lib/planes.ts";

/** What stands on the tunnel device of a member, as text: neighbours with a MAC, and FDB entries. */
async function entries(hosts: Hosts, { host }: Member): Promise<{ neighbours: string[]; remotes: string[] }> {
  const neighbours = await hosts.show(host, "ip", "neighbour show dev flan.1");
  const fdb = await hosts.show(host, "bridge", "fdb show dev flan.1");
  return {
    neighbours: neighbours.filter((row) => "lladdr" in row).map((row) => String(row["dst"])).sort(),
    remotes: fdb.filter((row) => "dst" in row).map((row) => String(row["dst"])).sort(),
  };
}

/** An address in the member's subnet that no bridge has. */
const second = (member: Member) => member.container.replace(/\.1$/, ".2");

hostTest("on demand: only what is talked to is in the kernel, and it is found again", {
  lab: "demand",
  hosts: 3,
}, async (hosts, t) => {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  const members = await hosts.joinAll(["--backend-option", "Mode=on-demand"]) as [Member, Member, Member];
  const [from, to, third] = members;
  const log = from.agent.err;

  await t.step("one route for the network, and no entries before anybody talks", async () => {
    const routes = await hosts.show(from.host, "ip", "route show proto 113");
    assert.deepEqual(routes.map((route) => route["dst"]), ["10.244.0.0/16"]);
    assert.deepEqual(await entries(hosts, from), { neighbours: [], remotes: [] });
  });

  await t.step("the first packet already arrives, at a peer and at a container behind it", async () => {
    await hosts.ip(to.host, `address add ${second(to)}/24 dev cni0`);
    assert.equal(await hosts.lost(from.host, to.container, { count: 1 }), 0);
    assert.equal(await hosts.lost(from.host, second(to), { count: 1 }), 0);
  });

  await t.step("only the peer that was talked to has entries, on both sides", async () => {
    assert.deepEqual(await entries(hosts, from), {
      neighbours: [to.container, second(to)].sort(),
      remotes: [to.host.address],
    });
    const back = await entries(hosts, to);
    assert.deepEqual([back.remotes, back.neighbours.length], [[from.host.address], 1]);
    assert.deepEqual(await entries(hosts, third), { neighbours: [], remotes: [] });
  });

  await t.step("an address that no lease covers gets no entry", async () => {
    const unleased = "10.244.250.7";
    assert.equal(await hosts.lost(from.host, unleased, { count: 1, patience: 1 }), 1);
    const { neighbours } = await entries(hosts, from);
    assert.ok(!neighbours.includes(unleased), neighbours.join());
  });

  await t.step("what was flushed is asked for and answered again", async () => {
    await hosts.ip(from.host, "neighbour flush dev flan.1");
    assert.equal(await hosts.lost(from.host, to.container, { count: 1 }), 0);
    await hosts.bridge(from.host, "fdb flush dev flan.1");
    await log.until(
      "the FDB entry",
      async () => (await entries(hosts, from)).remotes.includes(to.host.address),
    );
    assert.equal(await hosts.lost(from.host, second(to), { count: 3 }), 0);
  });

  await t.step("an entry that ages under traffic is confirmed without a lost packet", async () => {
    const settings = ["base_reachable_time_ms=200", "delay_first_probe_time=0", "gc_stale_time=1"];
    const argv = settings.map((one) => `net/ipv4/neigh/flan.1/${one}`);
    const { code, stderr } = await hosts.lab.on(from.host, ["sysctl", "--quiet", "--write", ...argv]);
    assert.equal(code, 0, stderr);
    const monitor = hosts.start(from.host, ["ip", "monitor", "neigh", "dev", "flan.1"]);
    await hosts.ip(from.host, `neighbour change ${to.container} dev flan.1 nud stale`);
    assert.equal(await hosts.lost(from.host, to.container, { count: 60 }), 0);
    await monitor.out.line(new RegExp(`^${to.container} .*PROBE`));
    await monitor.end();
  });

  await t.step("all reach all", () => hosts.allReach(members));

  await t.step("a peer that leaves loses its entries", async () => {
    assert.equal((await hosts.lab.flan(to.host, ["down"])).code, 0);
    await log.until("no entries of the peer", async () => {
      const { neighbours, remotes } = await entries(hosts, from);
      return !neighbours.includes(to.container) && !remotes.includes(to.host.address);
    });
    assert.equal(await hosts.lost(from.host, third.container), 0);
  });
});

hostTest("on demand: the kernel asks for neighbours of IPv6, too", {
  lab: "demand-ipv6",
  hosts: 2,
}, async (hosts) => {
  await hosts.withIpv6();
  const args = [...stackArgs["IPv6"], "--backend-option", "Mode=on-demand"];
  const [one, two] = await hosts.joinAll(args) as [Member, Member];
  assert.equal(await hosts.lost(one.host, two.container, { count: 1 }), 0);
  const rows = await hosts.show(one.host, "ip", "-6 neighbour show dev flan-v6.1");
  assert.deepEqual(rows.filter((row) => "lladdr" in row).map(({ dst }) => dst), [two.container]);
  const nobody = two.container.replace(/::1$/, "::2");
  assert.equal(await hosts.lost(one.host, nobody, { count: 1, patience: 1 }), 1);
});
