/** A real etcd that wants certificates and a password, and gets others while hosts run; and one of three members. */
import assert from "node:assert/strict";
import { ETCD_PORT, etcdTest, isWell, joinAll, on, SERVER, serverAddress } from "../lib/etcd_hosts.ts";
import { Endurance } from "../lib/endurance.ts";
import { EtcdServer } from "../lib/etcd_server.ts";
import { hostTest, type Member } from "../lib/hosts.ts";

type Two = [Member, Member];

etcdTest("certificates of an etcd and its hosts are exchanged while the hosts run", {
  lab: "access",
  hosts: 2,
  etcd: { tls: true, clientCerts: true, auth: true },
}, async (world, t) => {
  const { hosts, etcd } = world;
  const dir = `${hosts.lab.directory}/credentials`;
  const give = async () => {
    await Deno.mkdir(dir, { recursive: true });
    await Deno.copyFile(etcd.ca!.cert, `${dir}/ca.pem`);
    await Deno.copyFile(etcd.client!.cert, `${dir}/client.pem`);
    await Deno.copyFile(etcd.client!.key, `${dir}/client.key`);
  };
  await give();
  await Deno.writeTextFile(`${dir}/password`, "flan-secret\n");
  const credentials = [
    ...[
      "--store-ca",
      `${dir}/ca.pem`,
      "--store-cert",
      `${dir}/client.pem`,
      "--store-key",
      `${dir}/client.key`,
    ],
    ...["--store-user", "flan", "--store-password-file", `${dir}/password`],
  ];
  const members = await joinAll(world, credentials) as Two;
  const endurance = await Endurance.start(hosts, members);
  const renewed = async (work: () => Promise<void>) => {
    const marks = members.map(({ agent }) => agent.err.lines.length);
    const all = (pattern: RegExp) =>
      Promise.all(members.map(({ agent }, i) => agent.err.line(pattern, marks[i])));
    await endurance.unnoticed(async () => {
      await work();
      await all(/ warning .* code=store-(denied|unreachable) /);
      await give();
      await all(/ info Well again: .* code=store-/);
      await Promise.all(members.map(isWell));
    });
  };

  await t.step("another authority and all that it issued", () =>
    renewed(async () => {
      await etcd.kill();
      await etcd.issueAll();
      await etcd.restart();
    }));

  await t.step("a command that comes later uses them as well", async () => {
    const { code, stdout, stderr } = await hosts.lab.flan(members[0].host, ["lease", "list", "-o", "tsv"]);
    assert.equal(code, 0, stderr);
    for (const { subnet } of members) assert.ok(stdout.includes(subnet), stdout);
  });
});

const addresses = [0, 1, 2].map((i) => `192.0.2.${SERVER + i}`);

hostTest("hosts go on with the other members of an etcd when one of them dies", {
  lab: "members",
  hosts: 2,
  store: `etcd://${addresses.map((one) => `${one}:${ETCD_PORT}`).join()}/coreos.com/network`,
}, async (hosts) => {
  assert.equal(addresses[0], serverAddress);
  const machines = [];
  for (const i of addresses.keys()) machines.push(await hosts.lab.addServer(SERVER + i));
  await using stack = new AsyncDisposableStack();
  const etcds = await Promise.all(machines.map(async (machine) => {
    const others = addresses.filter((one) => one !== machine.address);
    // Three that share a busy machine must not take one another for dead.
    const args = ["--heartbeat-interval=100", "--election-timeout=1000"];
    return stack.use(await EtcdServer.start({ ...on(hosts.lab, machine), others, args }));
  }));
  const members = await joinAll({ hosts }) as Two;
  const endurance = await Endurance.start(hosts, members);

  await endurance.unnoticed(async () => {
    await etcds[0]!.kill();
    // Longer than leases live: they are renewed at the others.
    await endurance.traffic.lasts(12_000);
    await Promise.all(members.map(isWell));
  });
  const keys = await etcds[1]!.ctl("get", "--prefix", "--keys-only", `${etcds[1]!.prefix}/subnets/`);
  assert.equal(keys.split("\n").filter(Boolean).length, members.length);
  // What the one host writes, the other hears.
  assert.equal((await hosts.lab.flan(members[1].host, ["down"])).code, 0);
  await hosts.knows(members[0], [members[0]]);
});
