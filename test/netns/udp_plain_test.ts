/**
 * flan's udp backend and a plain program that carries one packet a datagram understand each other, both ways. How many
 * MiB of TCP go each way is TEST_MIB, or else 64: `TEST_MIB=1024 deno test -A FILE` moves the whole gigabyte.
 */
import assert from "node:assert/strict";
import { datagramsFile, type Exchange } from "../lib/datagrams.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { faultsOf } from "../lib/packet_bytes.ts";
import { udp } from "../lib/planes.ts";
import {
  errorsCounted,
  leaseFor,
  PLAIN_CONTAINER,
  PLAIN_DEVICE,
  PLAIN_SUBNET,
  startPlain,
} from "../lib/plain_host.ts";
import { capture } from "../lib/programs.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";
import { tcpFaults } from "../lib/tcp_stream.ts";

const STREAM_PORT = 7107;
const ECHO_PORT = 7108;
/** The plain program carries less than 1 Gbit/s: what always runs moves no more than a few seconds' worth. */
const MEBIBYTES = Number(Deno.env.get("TEST_MIB") ?? 64);
const MTU = 1472;
const deno = [Deno.execPath(), "run", "--quiet", "--allow-net"];
/** Seconds: what is lost again and again must not keep the other tests from being told. */
const LIMIT = ["timeout", `${60 + MEBIBYTES}`];

interface End {
  readonly host: LabHost;
  readonly container: string;
}

async function move(hosts: Hosts, from: LabHost, to: string, mebibytes: number): Promise<void> {
  const argv = [...LIMIT, ...deno, streamFile, "send", `${STREAM_PORT}`, `${mebibytes}`, "1", to];
  const { code, stdout, stderr } = await hosts.lab.on(from, argv);
  assert.equal(code, 0, stderr);
  const [{ sent, received }] = JSON.parse(stdout) as [Transfer];
  assert.equal(received, sent);
}

/** Sends a datagram of each size, and insists that each comes back as it was. */
async function exchange(hosts: Hosts, from: LabHost, to: string, sizes: readonly number[]): Promise<void> {
  const argv = [...LIMIT, ...deno, datagramsFile, "exchange", to, `${ECHO_PORT}`, ...sizes.map(String)];
  const { code, stdout, stderr } = await hosts.lab.on(from, argv);
  assert.equal(code, 0, stderr);
  const { sizes: count, unchanged, changed, missing } = JSON.parse(stdout) as Exchange;
  assert.deepEqual({ unchanged, changed, missing }, { unchanged: count, changed: [], missing: [] });
}

hostTest("a plain peer exchanges all kinds of packets with flan", {
  lab: "plain",
  hosts: 2,
  plane: udp,
}, async (hosts, t) => {
  const [first, other] = hosts.lab.hosts as [LabHost, LabHost];
  const member: Member = await hosts.join(first);
  await leaseFor(hosts, other, { subnet: PLAIN_SUBNET });
  await startPlain(hosts, other, first);
  const plain: End = { host: other, container: PLAIN_CONTAINER };
  await hosts.knows(member, [member, { ...member, subnet: PLAIN_SUBNET }]);
  const ways: [string, End, End][] = [["from flan", member, plain], ["to flan", plain, member]];
  for (const { host } of [member, plain]) {
    await hosts.start(host, [...deno, streamFile, "receive", `${STREAM_PORT}`]).out.line(/listening/);
    await hosts.start(host, [...deno, datagramsFile, "echo", `${ECHO_PORT}`]).out.line(/echoing/);
  }

  for (const [way, from, to] of ways) {
    await t.step(
      `pings ${way}`,
      async () => assert.equal(await hosts.lost(from.host, to.container, { count: 5 }), 0),
    );

    await t.step(
      `UDP of every size up to the MTU ${way}`,
      () => exchange(hosts, from.host, to.container, [0, MTU - 28]),
    );

    await t.step(
      `UDP that is sent in fragments ${way}`,
      () => exchange(hosts, from.host, to.container, [MTU - 27, 65507, 3199]),
    );

    await t.step(`a full-size packet that must not be divided ${way}`, async () => {
      const argv = ["ping", "-n", "-c", "1", "-W", "10", "-M", "do", "-s", `${MTU - 28}`, to.container];
      assert.equal((await hosts.lab.on(from.host, argv)).code, 0);
    });

    await t.step(
      `${MEBIBYTES} MiB of TCP arrive whole ${way}`,
      () => move(hosts, from.host, to.container, MEBIBYTES),
    );
  }

  await t.step("what flan makes of super-packets is what a kernel without offloads sends", async () => {
    const seen = await capture(hosts, other, PLAIN_DEVICE);
    await move(hosts, first, PLAIN_CONTAINER, 4);
    await seen.settled(hosts, first, PLAIN_CONTAINER);
    const packets = seen.packets;
    const largest = Math.max(...packets.map(({ length }) => length));
    assert.equal(largest, MTU);
    assert.deepEqual(packets.flatMap((packet) => faultsOf(packet)), []);
    assert.deepEqual(tcpFaults(packets, { port: STREAM_PORT, bytes: 4 << 20 }), []);
  });

  await t.step("neither kernel has seen a packet that is not whole", async () => {
    for (const { host } of [member, plain]) assert.deepEqual(await errorsCounted(hosts, host), []);
  });
});
