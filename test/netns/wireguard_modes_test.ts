/**
 * One WireGuard device for both families of a dual-stack network on a real kernel, over the one underlay and the other,
 * with a host beside them that wg(8) was set up on by hand.
 */
import assert from "node:assert/strict";
import { familyOf } from "../../net/ip.ts";
import { address6Of, type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { PlainWg } from "../lib/plain_wg.ts";
import { stackArgs, wireguard, wireguardPeers } from "../lib/planes.ts";
import { ping, states } from "../lib/pinging.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";
import { until } from "../lib/until.ts";

const PORT = 7109;
const MEBIBYTES = 20;
const stream = [Deno.execPath(), "run", "--quiet", "--allow-net", streamFile];

hostTest(
  "one WireGuard device carries both families over IPv6, or IPv4, between flan hosts and a plain wg",
  { lab: "wg-modes", hosts: 3, plane: wireguard, probes: true },
  async (hosts, t) => {
    await hosts.withIpv6();
    const plain = await PlainWg.start(hosts, hosts.at(3), { isDual: true });
    const [first, second] = [hosts.at(1), hosts.at(2)];
    const one = await hosts.join(first, [...stackArgs["dual stack"], "--backend-option", "Mode=ipv6"]);
    const two = await hosts.join(second);
    await plain.announce(hosts);
    await plain.takePeers(hosts, [one, two], address6Of);
    const [subnet, subnet6] = plain.subnets as [string, string];
    const all = [one, two, { ...one, subnet, subnet6 }];
    await Promise.all([one, two].map((member) => hosts.knows(member, all)));

    await t.step("over IPv6 everybody reaches everybody, by each family", async () => {
      await allMeet(hosts, [one, two], plain);
      assert.deepEqual(await endpoints(one), [address6Of(second), address6Of(plain.host)].sort());
      assert.deepEqual(await devices(hosts, one), ["flan-wg"]);
    });

    await t.step("a packet of the overlay's MTU passes undivided, one byte more is too long", async () => {
      for (const address of two.containers) {
        for (const [mtu, passes] of [[1420, true], [1421, false]] as const) {
          const size = `${mtu - (familyOf(address) === 4 ? 28 : 48)}`;
          const argv = ["ping", "-n", "-c", "1", "-W", passes ? "5" : "0.1", "-M", "do", "-s", size, address];
          const { code, stdout, stderr } = await hosts.lab.on(first, argv);
          const said = `${mtu} bytes to ${address}: ${stdout}${stderr}`;
          assert.equal(code === 0, passes, said);
          // An answer that is only late is no refusal.
          if (!passes) assert.match(said, /message too long, mtu[=:] ?1420\n/);
        }
      }
    });

    await t.step(`${MEBIBYTES} MiB arrive whole, by each family`, async () => {
      await hosts.start(second, [...stream, "receive", `${PORT}`, "::"]).out.line(/^listening$/);
      const argv = [...stream, "send", PORT, MEBIBYTES, 1, ...two.containers].map(String);
      const { code, stdout, stderr } = await hosts.lab.on(first, argv);
      assert.equal(code, 0, stderr);
      const transfers: Transfer[] = JSON.parse(stdout);
      assert.equal(transfers.length, 2);
      for (const { address, sent, received } of transfers) assert.equal(received, sent, `to ${address}`);
    });

    await t.step("routes and explain name the underlay by which packets go", async () => {
      const { stdout } = await hosts.lab.flan(first, ["routes", "-o", "json"]);
      const { items } = JSON.parse(stdout) as { items: { subnet: string; via: string; state: string }[] };
      const seen = items.filter(({ subnet }) => [two.subnet, two.subnet6].includes(subnet));
      assert.deepEqual(seen.map(({ via, state }) => [via, state]), Array(2).fill([address6Of(second), "ok"]));
      for (const address of two.containers) {
        const explained = await hosts.lab.flan(first, ["routes", "explain", address]);
        assert.equal(explained.code, 0, explained.stdout + explained.stderr);
        assert.match(explained.stdout, new RegExp(`underlay +ok +${address6Of(second)} dev eth0`));
      }
    });

    await t.step("flan ping measures each family for itself", async () => {
      for (const address of two.containers) {
        const { code, items } = await ping(hosts, one, address);
        assert.deepEqual([code, states(items)], [0, ["ok udp", "ok udp"]], address);
        const measured = [`ipv${familyOf(address)}`, 1420];
        assert.deepEqual(items.map(({ family, mtu }) => [family, mtu]), [measured, measured]);
      }
    });

    await t.step("over IPv4, as auto has it between public addresses, no less", async () => {
      // A session that lives stays where its peer is heard from, so that there must be none for this.
      await Promise.all([one, two].map(({ agent }) => agent.end("SIGTERM")));
      await Promise.all([first, second].map((host) => hosts.ip(host, "link delete flan-wg")));
      await setMode(hosts, "auto");
      [one.agent, two.agent] = await Promise.all([hosts.up(first), hosts.up(second)]);
      await allMeet(hosts, [one, two], plain);
      for (const [from, to] of [[one, two], [two, one]] as const) {
        const found = (await wireguardPeers(from.host)).find(({ allowedIps }) =>
          allowedIps.includes(to.subnet)
        );
        assert.equal(found?.endpoint, `${to.host.address}:51820`);
      }
      // What was measured before is told until it is measured again.
      await until("nothing is wrong", async () => (await hosts.status(first)).problems.length === 0);
    });

    await t.step(
      "a device for each family, and one again: packets pass, and nothing of the other kind is left",
      async () => {
        for (
          const [mode, names] of [["separate", ["flan-wg", "flan-wg-v6"]], ["ipv4", ["flan-wg"]]] as const
        ) {
          await setMode(hosts, mode);
          for (const member of [one, two]) {
            await until(mode, async () => (await devices(hosts, member)).join() === names.join());
          }
          await until(`${mode}: flan hosts`, async () => await lostBetween(hosts, one, two) === 0);
        }
      },
    );

    await t.step("whoever leaves leaves nothing", async () => {
      await one.agent.end("SIGTERM");
      assert.equal((await hosts.lab.flan(first, ["down"])).code, 0);
      for (const family of ["-4", "-6"]) {
        assert.deepEqual(await hosts.show(first, "ip", `${family} route show proto 113`), []);
      }
      assert.deepEqual(await devices(hosts, one), []);
      assert.deepEqual([...Deno.readDirSync(`${first.runDir}/wireguard`)], []);
    });
  },
);

/**
 * Waits until packets come through. Where both begin a handshake at once, both drop it and try again after 5 s
 * (wireguard.pdf, 6.1).
 */
async function allMeet(hosts: Hosts, members: readonly [Member, Member], plain: PlainWg): Promise<void> {
  const [one, two] = members;
  await until("flan hosts", async () => await lostBetween(hosts, one, two) === 0);
  for (const { host, containers } of members) {
    for (const to of plain.addresses) await reaches(hosts, host, to);
    for (const to of containers) await reaches(hosts, plain.host, to);
  }
}

async function reaches(hosts: Hosts, from: Member["host"], to: string): Promise<void> {
  await until(`the way to ${to}`, async () => await hosts.lost(from, to, { count: 1, patience: 1 }) === 0);
}

async function lostBetween(hosts: Hosts, one: Member, two: Member): Promise<number> {
  const ways = [[one, two], [two, one]].flatMap(([from, to]) =>
    to!.containers.map((address) => hosts.lost(from!.host, address, { count: 1, patience: 1 }))
  );
  return (await Promise.all(ways)).reduce((sum, lost) => sum + lost, 0);
}

/** The addresses that the peers of its device are sent to, sorted. */
async function endpoints({ host }: Member): Promise<string[]> {
  return (await wireguardPeers(host)).map(({ endpoint }) => endpoint.replace(/^\[?(.*?)\]?:\d+$/, "$1"))
    .sort();
}

async function devices(hosts: Hosts, { host }: Member): Promise<string[]> {
  const links = await hosts.show(host, "ip", "link show");
  return links.map((link) => String(link["ifname"])).filter((name) => name.startsWith("flan")).sort();
}

async function setMode(hosts: Hosts, mode: string): Promise<void> {
  const { code, stderr } = await hosts.lab.flan(hosts.at(1), [
    "config",
    "set",
    "Backend.Mode",
    mode,
    "--force",
  ]);
  assert.equal(code, 0, stderr);
}
