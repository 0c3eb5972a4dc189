/** The store's file is damaged while agents run: packets flow on, it is reported, and it heals. */
import assert from "node:assert/strict";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { underTraffic } from "../lib/traffic.ts";

const damages: readonly { name: string; lab: string; damage: (file: string) => void }[] = [
  { name: "torn", lab: "torn", damage: (file) => Deno.truncateSync(file, 200) },
  { name: "emptied", lab: "empty", damage: (file) => Deno.truncateSync(file, 0) },
  { name: "overwritten", lab: "over", damage: (file) => Deno.writeTextFileSync(file, "not ours\n") },
];

/** Three hosts that joined one after the other, so that the third lease is the one the backup lacks. */
async function three(hosts: Hosts): Promise<[Member, Member, Member]> {
  const members: Member[] = [];
  for (const host of hosts.lab.hosts) {
    await hosts.withoutIpv6(host);
    members.push(await hosts.join(host));
  }
  await Promise.all(members.map((one) => hosts.knows(one, members)));
  return members as [Member, Member, Member];
}

for (const { name, lab, damage } of damages) {
  hostTest(
    `a store that is ${name} is mended by the agents, and costs no packet`,
    { lab, hosts: 3 },
    async (hosts) => {
      const members = await three(hosts);
      const [first, second, last] = members;
      const logs = members.map(({ agent }) => agent.err);
      const marks = logs.map((log) => log.lines.length);
      const anyone = (pattern: RegExp) => Promise.any(logs.map((log, i) => log.line(pattern, marks[i]!)));

      const { sent, received } = await underTraffic(
        hosts,
        { from: first.host, to: second.container },
        async () => {
          damage(hosts.lab.store.slice("file:".length));
          await anyone(/warning Cannot use \S+network\.json: .* code=store-damaged/);
          await anyone(/warning Restored \S+network\.json from its backup/);
          await last.agent.err.line(new RegExp(`Leased ${last.subnet} `), marks[2]!);
        },
      );

      assert.equal(received, sent);
      await Promise.all(members.map((one) => hosts.knows(one, members)));
      await hosts.allReach(members);
      const leases = await hosts.lab.flan(first.host, ["lease", "list", "-o", "value=subnet"]);
      assert.deepEqual(leases.stdout.trim().split("\n").sort(), members.map((one) => one.subnet).sort());
      for (const { host } of members) await hosts.isWell(host);
    },
  );
}

hostTest("a store damaged beyond mending takes nothing away, and counts again once it is put back", {
  lab: "beyond",
  hosts: 3,
}, async (hosts) => {
  const members = await three(hosts);
  const [first, second] = members;
  const before = await namespaceState(first.host);
  const file = hosts.lab.store.slice("file:".length);
  const whole = Deno.readTextFileSync(file);
  const marks = members.map(({ agent }) => agent.err.lines.length);

  const { sent, received } = await underTraffic(
    hosts,
    { from: first.host, to: second.container },
    async () => {
      Deno.removeSync(`${file}.backup`);
      Deno.truncateSync(file, 0);
      await Promise.all(members.map(({ agent }, i) => agent.err.line(/code=store-damaged/, marks[i]!)));
      const status = await hosts.status(first.host);
      assert.deepEqual(status.problems.map((one) => one.code), ["store-damaged"]);
      const asked = await hosts.lab.flan(first.host, ["lease", "list"]);
      assert.equal(asked.code, 4);
      assert.match(asked.stderr, /^flan: Cannot use \S+network\.json: it is empty$/m);
      assert.deepEqual(await namespaceState(first.host), before, "nothing was taken away");

      Deno.writeTextFileSync(`${file}.mine`, whole);
      Deno.renameSync(`${file}.mine`, file);
      await Promise.all(
        members.map(({ agent }, i) => agent.err.line(/Well again: .*store-damaged/, marks[i]!)),
      );
    },
  );

  assert.equal(received, sent);
  assert.deepEqual(await namespaceState(first.host), before);
  await hosts.allReach(members);
});

hostTest("up mends a store that was torn while no agent ran", { lab: "alone", hosts: 1 }, async (hosts) => {
  const host = hosts.at(1);
  const up = () => hosts.lab.flan(host, ["up", "--once", "-o", "value=subnet"]);
  const first = await up();
  Deno.truncateSync(hosts.lab.store.slice("file:".length), 50);

  const second = await up();

  assert.deepEqual([second.code, second.stdout], [0, first.stdout], second.stderr);
  assert.match(second.stderr, /Restored \S+network\.json from its backup/);
});
