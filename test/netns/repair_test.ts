/** Whatever somebody does to what flan made is put back, and told once with what it was and who did it. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";

/** What the project promises, in milliseconds. */
const PROMISE = 2000;

interface Deed {
  readonly name: string;
  /** Does it, and resolves to the number of the process that did. */
  readonly done: (hosts: Hosts, victim: LabHost, peer: Member) => Promise<number>;
  /** What the log line must name. */
  readonly repaired: RegExp;
  /** Of links and FDB entries the kernel does not say on whose behalf it acted (netlink port 0). */
  readonly nameless?: true;
}

const gatewayOf = (peer: Member) => peer.subnet.split("/")[0]!;
const link = (name: string, ...lines: string[]): Deed => ({
  name,
  done: (hosts, victim) => hosts.ip(victim, ...lines),
  repaired: /link flan\.1/,
  nameless: true,
});

const deeds: readonly Deed[] = [
  {
    name: "deletes a route",
    done: (hosts, victim, peer) => hosts.ip(victim, `route delete ${peer.subnet}`),
    repaired: /Repaired route \S+ via \S+ dev flan\.1 /,
  },
  {
    name: "deletes a neighbour",
    done: (hosts, victim, peer) => hosts.ip(victim, `neighbour delete ${gatewayOf(peer)} dev flan.1`),
    repaired: /Repaired neighbour \S+ lladdr \S+ dev flan\.1 /,
  },
  {
    name: "gives a neighbour another MAC",
    done: (hosts, victim, peer) =>
      hosts.ip(victim, `neighbour replace ${gatewayOf(peer)} lladdr 02:00:00:00:00:99 dev flan.1`),
    repaired: /Repaired neighbour/,
  },
  {
    name: "deletes an FDB entry",
    done: async (hosts, victim, peer) => {
      const [entry] = (await hosts.show(victim, "bridge", "fdb show dev flan.1")).filter((row) =>
        row["dst"] === peer.host.address
      );
      return await hosts.bridge(victim, `fdb delete ${entry!["mac"]} dev flan.1`);
    },
    repaired: /Repaired FDB entry \S+ dst \S+ dev flan\.1 /,
    nameless: true,
  },
  {
    name: "deletes a nexthop",
    done: async (hosts, victim, peer) => {
      const [nexthop] = (await hosts.show(victim, "ip", "nexthop show")).filter((row) =>
        row["gateway"] === gatewayOf(peer)
      );
      return await hosts.ip(victim, `nexthop delete id ${nexthop!["id"]}`);
    },
    repaired: /Repaired nexthop \S+ via \S+ dev flan\.1, route /,
  },
  {
    name: "deletes the address",
    done: async (hosts, victim) => {
      const [shown] = await hosts.show(victim, "ip", "-4 address show dev flan.1");
      const { local, prefixlen } = (shown!["addr_info"] as { local: string; prefixlen: number }[])[0]!;
      return await hosts.ip(victim, `address delete ${local}/${prefixlen} dev flan.1`);
    },
    repaired: /Repaired address \S+ dev flan\.1\b/,
  },
  {
    ...link("sets the link down and up", "link set flan.1 down", "link set flan.1 up"),
    repaired: /Repaired /,
  },
  link("sets the link down", "link set flan.1 down"),
  link("deletes the link", "link delete flan.1"),
  link("renames the link", "link set flan.1 down", "link set flan.1 name mine", "link set mine up"),
  link("renames the link while it is up", "link set flan.1 name mine"),
  link("changes the link's MAC", "link set flan.1 address 02:00:00:00:00:77"),
  link("changes the link's MTU", "link set flan.1 mtu 1300"),
];

hostTest("what somebody takes away or changes is repaired", { lab: "repair", hosts: 3 }, async (hosts, t) => {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  const members = await hosts.joinAll();
  const [victim, peer] = members as [Member, Member];
  const log = victim.agent.err;
  const before = await namespaceState(victim.host, { indexes: false });
  const begun = log.lines.length;

  for (const { name, done, repaired, nameless } of deeds) {
    await t.step(`somebody ${name}`, async () => {
      const mark = log.lines.length;
      const start = performance.now();
      // What takes several commands is one deed: a quick agent would mend what is only half done.
      Deno.kill(victim.agent.pid, "SIGSTOP");
      const pid = await done(hosts, victim.host, peer).finally(() => Deno.kill(victim.agent.pid, "SIGCONT"));
      const line = await log.line(/Repaired/, mark);
      const elapsed = Math.round(performance.now() - start);
      console.log(`    ${elapsed} ms: ${line.replace(/^\S+ /, "")}`);
      assert.match(line, repaired);
      const by = nameless ? "(flan\\.1 (changed|deleted)|found by looking)" : `(\\[|process )${pid}\\b`;
      assert.match(line, new RegExp(`cause=".*${by}`));
      assert.deepEqual(await namespaceState(victim.host, { indexes: false }), before);
      assert.ok(elapsed < PROMISE, `repaired after ${elapsed} ms`);
      await hosts.allReach(members);
    });
  }

  await t.step("each was told once", async () => {
    await victim.agent.end("SIGTERM");
    const told = log.matching(/Repaired/, begun);
    assert.equal(told.length, deeds.length, told.join("\n"));
  });
});
