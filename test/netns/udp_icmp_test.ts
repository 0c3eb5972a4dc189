/** The proxy answers for the network as a router does: what cannot be carried is told to its sender, once and not too often. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { counted, countedSince, countersOf } from "../lib/ask_proxy.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { icmp, udp as datagram } from "../lib/packet_bytes.ts";
import { udp } from "../lib/planes.ts";
import { capture, flood, sendRaw } from "../lib/programs.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";
import { until } from "../lib/until.ts";

const STREAM_PORT = 7107;
/** In the network, and nobody's. */
const UNLEASED = "10.244.250.7";
/** Of the first byte of flags and fragment offset (RFC 791). */
const DONT_FRAGMENT = 0x40;
const deno = [Deno.execPath(), "run", "--quiet", "--allow-net"];

async function ping(hosts: Hosts, from: LabHost, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await hosts.lab.on(from, ["ping", "-n", "-c", "1", "-W", "10", ...args]);
  return stdout + stderr;
}

/** The address of a member's device, from which it speaks as a router. */
const gatewayOf = ({ subnet }: Member) => subnet.split("/")[0]!;

hostTest("senders are told what a router tells", { lab: "icmp", hosts: 2, plane: udp }, async (hosts, t) => {
  const [from, to] = await hosts.joinAll() as [Member, Member];
  const own = gatewayOf(from).replaceAll(".", "\\.");
  const far = gatewayOf(to).replaceAll(".", "\\.");

  await t.step("a ping to where nobody is gets net unreachable", async () => {
    assert.match(
      await ping(hosts, from.host, [UNLEASED]),
      new RegExp(`From ${own} .*Destination Net Unreachable`),
    );
  });

  await t.step("whoever traces the route sees both ends of the tunnel", async () => {
    const exceeded = (by: string) => new RegExp(`From ${by} .*Time to live exceeded`);
    assert.match(await ping(hosts, from.host, ["-t", "1", to.container]), exceeded(own));
    assert.match(await ping(hosts, from.host, ["-t", "2", to.container]), exceeded(far));
    assert.match(await ping(hosts, from.host, ["-t", "3", to.container]), /1 received/);
  });

  await t.step("no error tells of an error, a multicast packet, or a later fragment", async () => {
    const before = await countersOf(from.host);
    const quoted = datagram({
      source: UNLEASED,
      destination: gatewayOf(from),
      port: 9,
      payload: new Uint8Array(8),
    });
    const ends = { source: gatewayOf(from), destination: UNLEASED };
    const rest = Uint8Array.of(0, 0, 0, 0, ...quoted);
    const errors = [3, 5, 11, 12].map((type) => icmp(ends, { type, code: 0, rest }));
    const fragment = datagram({ ...ends, port: 9, payload: new Uint8Array(64) });
    fragment.set([0, 8], 6);
    await sendRaw(hosts, from.host, [...errors, fragment]);
    const now = await counted(
      from.host,
      (all) => (countedSince(before, all)["out_drop_no_route"] ?? 0) >= errors.length + 1,
    );
    assert.deepEqual(countedSince(before, now)["icmp_sent"], undefined);

    await ping(hosts, from.host, ["-W", "0.1", "-I", udp.device, "224.0.0.9"]);
    const then = countedSince(
      now,
      await counted(from.host, (all) => "out_drop_multicast" in countedSince(now, all)),
    );
    assert.deepEqual(then["icmp_sent"], undefined);
  });

  await t.step("a burst to where nobody is gets a bounded number of answers", async () => {
    const before = await countersOf(from.host);
    const lost = datagram({
      source: gatewayOf(from),
      destination: UNLEASED,
      port: 9,
      payload: new Uint8Array(8),
    });
    await sendRaw(hosts, from.host, Array.from({ length: 2000 }, () => lost));
    const now = await counted(
      from.host,
      (all) => (countedSince(before, all)["out_drop_no_route"] ?? 0) >= 2000,
    );
    const { icmp_sent: sent = 0, icmp_limited: limited = 0 } = countedSince(before, now);
    assert.equal(sent + limited, 2000);
    assert.ok(sent >= 50, `${sent} sent`);
    assert.ok(limited >= 1000, `${limited} were too many`);
  });

  await t.step("whoever sends too much is told so in the midst of a flood to where nobody is", async () => {
    const { host, container } = from;
    await hosts.ip(host, "route add 192.0.2.2/32 dev eth0 mtu 1400");
    const seen = await capture(hosts, host, "lo");
    const nowhere = { source: container, destination: UNLEASED };
    const storm = await flood(hosts, host, icmp(nowhere, { type: 8, code: 0, rest: new Uint8Array(8) }));
    const before = await counted(host, (all) => (all["icmp_limited"] ?? 0) > 10_000);

    // By turns from two addresses: of several packets between the same two one may be told of once.
    const large = [container, gatewayOf(from)].map((source) => {
      const packet = datagram({ source, destination: to.container, port: 9, payload: new Uint8Array(1400) });
      packet[6] = DONT_FRAGMENT;
      return packet;
    });
    let dropped = 0;
    await until("large packets get through the flood", async () => {
      await sendRaw(hosts, host, Array.from({ length: 10 }, () => large).flat());
      dropped = countedSince(before, await countersOf(host))["out_drop_too_big"] ?? 0;
      return dropped >= 20;
    });
    await storm.end();

    await seen.settled(hosts, host, host.address);
    dropped = countedSince(before, await countersOf(host))["out_drop_too_big"]!;
    const told = seen.packets.filter((one) => /^0304.{4}0000055c/.test(one.subarray(20).toHex())).length;
    assert.ok(told >= dropped / 2, `${told} were told of ${dropped}`);
  });
});

hostTest(
  "a narrower way to a peer is told, and TCP goes on",
  { lab: "narrow", hosts: 2, plane: udp },
  async (hosts, t) => {
    const [from, to] = await hosts.joinAll() as [Member, Member];
    await hosts.start(to.host, [...deno, streamFile, "receive", `${STREAM_PORT}`]).out.line(/listening/);
    const full = ["-M", "do", "-s", "1444", to.container];
    assert.match(await ping(hosts, from.host, full), /1 received/);

    await hosts.ip(from.host, "route add 192.0.2.2/32 dev eth0 mtu 1400");

    await t.step("whoever may not be divided is told how much fits", async () => {
      const told = /Frag needed and DF set \(mtu = 1372\)/;
      assert.match(
        await ping(hosts, from.host, full),
        new RegExp(`From ${gatewayOf(from)} .*${told.source}`),
      );
      const [route] = await hosts.show(from.host, "ip", `route get ${to.container}`);
      assert.equal((route!["metrics"] as { mtu: number }[])[0]!.mtu, 1372);
      assert.match(await ping(hosts, from.host, ["-M", "do", "-s", "1344", to.container]), /1 received/);
    });

    await t.step("whoever may be divided is", async () => {
      assert.match(await ping(hosts, from.host, ["-M", "dont", "-s", "1444", to.container]), /1 received/);
      assert.match(await ping(hosts, from.host, ["-M", "dont", "-s", "9000", to.container]), /1 received/);
    });

    await t.step("TCP finds its way", async () => {
      const argv = [...deno, streamFile, "send", `${STREAM_PORT}`, "16", "1", to.container];
      const { code, stdout, stderr } = await hosts.lab.on(from.host, argv);
      assert.equal(code, 0, stderr);
      const [{ sent, received }] = JSON.parse(stdout) as [Transfer];
      assert.equal(received, sent);
    });
  },
);

hostTest("a connection goes on when the way becomes narrower under it", {
  lab: "narrows",
  hosts: 2,
  plane: udp,
}, async (hosts) => {
  const [from, to] = await hosts.joinAll() as [Member, Member];
  await hosts.start(to.host, [...deno, streamFile, "receive", `${STREAM_PORT}`]).out.line(/listening/);
  const argv = [...deno, streamFile, "send", `${STREAM_PORT}`, "256", "1", to.container];
  const sender = hosts.start(from.host, argv);
  const before = await counted(from.host, ({ out_bytes = 0 }) => out_bytes > 16 << 20);

  await hosts.ip(from.host, "route add 192.0.2.2/32 dev eth0 mtu 1400");

  const [{ sent, received }] = JSON.parse(await sender.out.line(/sent/)) as [Transfer];
  assert.equal(received, sent);
  assert.ok(
    (countedSince(before, await countersOf(from.host))["out_drop_too_big"] ?? 0) > 0,
    "it was narrower",
  );
});
