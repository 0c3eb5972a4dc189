/**
 * Hosts whose packets WireGuard carries on a real kernel: by wireguard-go where the kernel has none, and with a host
 * beside them that knows nothing of flan.
 */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { type Hosts, hostTest } from "../lib/hosts.ts";
import { wireguard, wireguardPeers } from "../lib/planes.ts";
import { PlainWg } from "../lib/plain_wg.ts";
import { until } from "../lib/until.ts";
import { underTraffic } from "../lib/traffic.ts";

const where = { lab: "wireguard", hosts: 3, plane: wireguard };

hostTest(
  "wireguard carries packets between flan hosts and a plain wg, whatever happens",
  where,
  async (hosts, t) => {
    const [first, second] = [hosts.at(1), hosts.at(2)];
    const plain = await PlainWg.start(hosts, hosts.at(3));
    const one = await hosts.join(first, ["--encrypt"]);
    const two = await hosts.join(second);
    await plain.announce(hosts);
    await plain.takePeers(hosts, [one, two]);
    const [subnet] = plain.subnets as [string];
    await hosts.knows(one, [one, two, { ...one, subnet }]);
    await hosts.knows(two, [one, two, { ...one, subnet }]);

    await t.step(
      "all reach one another, the plain host too, and status says that it is encrypted",
      async () => {
        await meets(hosts, first, two.container);
        await meets(hosts, second, one.container);
        for (const member of [one, two]) {
          await meets(hosts, member.host, plain.addresses[0]!);
          await meets(hosts, plain.host, member.container);
        }
        const { stdout } = await hosts.lab.flan(first, ["status"]);
        assert.match(stdout, /^traffic encrypted: yes \(wireguard\)$/m);
      },
    );

    await t.step(
      "no packet is lost while the agent is killed and starts again, and no session ends",
      async () => {
        const before = await sessions(first);
        const { sent, received } = await underTraffic(hosts, { from: first, to: two.container }, async () => {
          await one.agent.end("SIGKILL");
          one.agent = await hosts.up(first);
        });
        assert.ok(sent >= 20, `${sent} sent`);
        assert.equal(received, sent);
        // WireGuard makes new keys by itself after two minutes, and then the handshake is a later one.
        const after = await sessions(first);
        assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
        for (const [key, handshake] of after) assert.ok(handshake > 0 && handshake >= before.get(key)!, key);
      },
    );

    await t.step("a host with another key is followed, and its old key is gone", async () => {
      const [old] = (await wireguardPeers(first)).filter(({ allowedIps }) => allowedIps.includes(two.subnet));
      await two.agent.end("SIGTERM");
      Deno.removeSync(`${second.stateDir}/wireguard.key`);
      two.agent = await hosts.up(second);
      await one.agent.err.until("a peer with another key", async () => {
        const found = (await wireguardPeers(first)).filter(({ allowedIps }) =>
          allowedIps.includes(two.subnet)
        );
        return found.length === 1 && found[0]!.publicKey !== old!.publicKey;
      });
      assert.ok(!(await wireguardPeers(first)).some(({ publicKey }) => publicKey === old!.publicKey));
      await meets(hosts, first, two.container);
      await meets(hosts, second, one.container);
    });

    await t.step("wireguard-go that is killed is back at once, with all its peers", async () => {
      const lock = `${first.runDir}/wireguard-flan-wg.lock`;
      const killed = Number(Deno.readTextFileSync(lock));
      assert.equal(Deno.statSync(lock).mode! & 0o777, 0o600, "nobody else can hold it");
      const leaks = await countLeaks(hosts, first);
      await underTraffic(hosts, { from: first, to: two.container }, async () => {
        Deno.kill(killed, "SIGKILL");
        await one.agent.err.line(/Repaired link flan-wg/);
      });
      assert.equal(await leaks(), 0, "packets to the overlay left in clear");
      assert.notEqual(Number(Deno.readTextFileSync(lock)), killed);
      await meets(hosts, first, two.container);
      await meets(hosts, second, one.container);
      await meets(hosts, first, plain.addresses[0]!);
    });

    await t.step("whoever leaves leaves nothing, and no secret was told to anybody", async () => {
      const secret = Deno.readTextFileSync(`${first.stateDir}/wireguard.key`).trim();
      assert.equal(Deno.statSync(`${first.stateDir}/wireguard.key`).mode! & 0o777, 0o600);
      const said = await Promise.all(
        [["routes", "-o", "json"], ["status", "--json"], ["routes", "explain", two.container], [
          "up",
          "--dry-run",
          "-o",
          "commands",
        ]]
          .map((args) => hosts.lab.flan(first, args)),
      );
      const all = said.map(({ stdout, stderr }) => stdout + stderr).join("\n") +
        one.agent.err.lines.join("\n");
      assert.ok(all.includes("flan-wg") && !all.includes(secret));
      await one.agent.end("SIGTERM");
      const { code, stdout } = await hosts.lab.flan(first, ["down"]);
      assert.equal(code, 0);
      assert.match(stdout, /^removed link flan-wg$/m);
      assert.deepEqual(await hosts.show(first, "ip", "route show proto 113"), []);
      assert.deepEqual([...Deno.readDirSync(`${first.runDir}/wireguard`)], []);
    });
  },
);

/** Gives the host a default route as most have one, and counts what goes to the overlay by it from then on. */
async function countLeaks(hosts: Hosts, host: LabHost): Promise<() => Promise<number>> {
  const { code, stderr } = await hosts.lab.on(host, [
    "sh",
    "-c",
    `ip route replace default via ${hosts.at(2).address} && nft -f - <<'END'
table ip leaks {
  counter seen { }
  chain out {
    type filter hook output priority 0
    oifname != { "flan-wg", "lo" } ip daddr 10.244.0.0/16 counter name seen
  }
}
END`,
  ]);
  assert.equal(code, 0, stderr);
  return async () => {
    const { stdout } = await hosts.lab.on(host, ["nft", "-j", "list", "counters", "table", "ip", "leaks"]);
    await hosts.lab.on(host, ["nft", "delete", "table", "ip", "leaks"]);
    const { nftables } = JSON.parse(stdout) as { nftables: { counter?: { packets: number } }[] };
    return nftables.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0);
  };
}

/**
 * Waits until packets come through. Where both begin a handshake at once, both drop it and try again after 5 s, and a
 * packet may be lost while two sessions are one too many (wireguard.pdf, 6.1).
 */
async function meets(hosts: Hosts, from: LabHost, to: string): Promise<void> {
  await until(`the way to ${to}`, async () => await hosts.lost(from, to, { count: 3, patience: 1 }) === 0);
}

/** The latest handshake of each peer. */
async function sessions(host: LabHost): Promise<Map<string, number>> {
  return new Map((await wireguardPeers(host)).map(({ publicKey, handshake }) => [publicKey, handshake]));
}
