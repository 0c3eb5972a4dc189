/** Three hosts on a real kernel: everything reaches everything, whole, and at full size. */
import assert from "node:assert/strict";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { hostGw, planes } from "../lib/planes.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";

const PORT = 7107;
const MEBIBYTES = 100;
const stream = [Deno.execPath(), "run", "--quiet", "--allow-net", streamFile];

for (const plane of [...planes, hostGw]) {
  const where = { lab: `traffic-${plane.backend}`, hosts: 3, plane };
  hostTest(`three hosts reach one another fully with ${plane.backend}`, where, async (hosts, t) => {
    const members = await hosts.joinAll();
    const most = 1500 - plane.overhead;
    const pairs = members.flatMap((from) => members.filter((to) => to !== from).map((to) => ({ from, to })));

    await t.step("every host pings every other host's container", () => hosts.allReach(members));

    await t.step("100 MiB arrive whole between all ordered pairs", async () => {
      await Promise.all(members.map((one) => listen(hosts, one)));
      const all = await Promise.all(
        members.map((from, i) => transfers(hosts, { from, members, seed: 10 * i + 1 })),
      );
      assert.equal(all.flat().length, pairs.length);
      for (const { address, sent, received } of all.flat()) {
        assert.equal(received, sent, `to ${address}`);
        assert.match(received, /^104857600 [0-9a-f]{64}$/);
      }
      assert.equal(
        new Set(all.flat().map(({ sent }) => sent)).size,
        pairs.length,
        "every stream is another one",
      );
    });

    await t.step("a packet of the overlay's MTU passes undivided, one byte more is too long", async () => {
      await Promise.all(pairs.map(async ({ from, to }) => {
        const fits = await ping(hosts, from, { to, mtu: most });
        assert.equal(fits.code, 0, `${from.subnet} to ${to.subnet}: ${fits.stdout}`);
        const more = await ping(hosts, from, { to, mtu: most + 1 });
        assert.notEqual(more.code, 0);
        assert.match(more.stdout + more.stderr, /message too long/i);
      }));
    });
  });
}

/** Waits until the receiver on this host listens. */
async function listen(hosts: Hosts, { host }: Member): Promise<void> {
  const server = hosts.start(host, [...stream, "receive", String(PORT)]);
  await server.out.line(/^listening$/);
}

async function transfers(
  hosts: Hosts,
  { from, members, seed }: { from: Member; members: readonly Member[]; seed: number },
): Promise<Transfer[]> {
  const targets = members.filter((one) => one !== from).map((one) => one.container);
  const argv = [...stream, "send", PORT, MEBIBYTES, seed, ...targets];
  const { code, stdout, stderr } = await hosts.lab.on(from.host, argv.map(String));
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** One echo request in an IPv4 packet of `mtu` bytes that must not be divided. */
function ping(hosts: Hosts, from: Member, { to, mtu }: { to: Member; mtu: number }) {
  const argv = ["ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", String(mtu - 28), to.container];
  return hosts.lab.on(from.host, argv);
}
