/**
 * The ipsec backend on a stock kernel: it passes the backend suite, and its hosts reach each other by ESP alone, also
 * while their keys change.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { ensureIpsec, IpsecLedger } from "../../agent/ipsec_ledger.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { encapSockets } from "../../ffi/encap_socket.ts";
import { closeFd } from "../../ffi/libc.ts";
import { NetlinkSocket } from "../../ffi/netlink_socket.ts";
import { openUdpSocket } from "../../ffi/udp_socket.ts";
import { NETLINK_XFRM } from "../../ffi/xfrm/constants.ts";
import { NativeXfrm, type XfrmSocketInit } from "../../ffi/xfrm_tables.ts";
import { EncapHolder } from "../../ipsec/encap_holder.ts";
import { openEncapKernel } from "../../ipsec/encap_kernel.ts";
import { openIpsecKernel } from "../../ipsec/ipsec_kernel.ts";
import { must } from "../../cmd/demo/shell.ts";
import { toCommands } from "../../kernel/commands.ts";
import { eventKeyOf, keyOfEvent } from "../../kernel/event_key.ts";
import type { EncapSockets } from "../../kernel/encap_sockets.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENCAP_PORT } from "../../kernel/xfrm.ts";
import type { KeyLedger } from "../../kernel/xfrm_tables.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { until as nextEvent } from "../conformance/kernel_events.ts";
import { openSystem } from "../ffi/system.ts";
import { forgetful, ipsecSecrets } from "../lib/fake_xfrm.ts";
import { until } from "../lib/until.ts";
import { type config, ipsecHost, ipsecOwner, ipsecSeenBy, PRESHARED_KEY } from "../lib/overlay.ts";
import { allReach, ping, stream } from "./crossing.ts";
import { type VmHost, VmHosts } from "./hosts.ts";
import { inside } from "./namespace.ts";
import { count } from "./wire.ts";

/** The socket of a host whose run directory is `runDir`, in its namespace. */
function holderIn(runDir: string, namespace: string): EncapHolder {
  const sockets: EncapSockets = {
    ...encapSockets,
    handOn: (port, spawn) => inside(namespace, () => encapSockets.handOn(port, spawn)),
    inodesAt: (port) => inside(namespace, () => encapSockets.inodesAt(port)),
  };
  return new EncapHolder({ runDir, port: ENCAP_PORT, clock: systemClock, sockets });
}

function around(kernel: Kernel, { namespace, ledger }: { namespace?: string; ledger: KeyLedger }): Kernel {
  const openSocket = (init: XfrmSocketInit) => {
    const open = () => new NetlinkSocket({ protocol: NETLINK_XFRM, ...init });
    return namespace === undefined ? open() : inside(namespace, open);
  };
  const tables = new NativeXfrm({ clock: systemClock, openSocket });
  return openIpsecKernel(kernel, { tables, ledger, secrets: ipsecSecrets });
}

backendSuite({
  name: "ipsec on Linux",
  backend: ipsec,
  host: ipsecHost({ underlay: { ...ipsecHost().underlay, link: "under0" } }),
  owner: ipsecOwner,
  view: ipsecSeenBy({}),
  kernelOnly: true,
  async open() {
    const system = await openSystem();
    const kernel = () => around(system.kernel(), { ledger: forgetful });
    const close = async () => {
      // They hang on no link, which is all that a system takes away.
      await must(["sh", "-c", "ip xfrm state flush; ip xfrm policy flush"]);
      await system.close();
    };
    return { ...system, kernel, close };
  },
});

const SPAN = 24 * 3600 * 1000;

/** Two hosts, each with a ledger of its own, and a process for ESP in UDP. */
async function ipsecHosts(options: Parameters<typeof config>[0] = {}) {
  const dirs = await Promise.all([1, 2].map(() => Deno.makeTempDir({ prefix: "flan-ipsec-" })));
  const known = await Promise.all(
    dirs.map((dir) =>
      ensureIpsec(dir, { clock: systemClock, span: SPAN, stands: false, at: "", isHeld: false })
    ),
  );
  const hosts = await VmHosts.create({
    name: "ipsec",
    count: 2,
    backend: ipsec,
    options: { PSK: PRESHARED_KEY, ...options },
    facts: (number) => ({ ipsec: known[number - 1]! }),
    around: (kernel, { namespace, node }) => {
      const dir = dirs[Number(node.slice(2)) - 1]!;
      const ledger = new IpsecLedger(dir, systemClock);
      return openEncapKernel(around(kernel, { namespace, ledger }), holderIn(dir, namespace));
    },
  });
  return { hosts, all: hosts.all as [VmHost, VmHost] };
}

/** Counts the ICMP echoes, asked or answered, that come to a host by IPsec from now on. */
async function countEchoes(hosts: VmHosts, host: VmHost): Promise<() => Promise<number>> {
  const rules = `table ip heard {
  counter echoes {}
  chain input { type filter hook input priority 0; iifname "flan.ipsec" icmp type { echo-request, echo-reply } counter name echoes; }
}`;
  await hosts.on(host, ["nft", rules]);
  return async () => {
    const said = await hosts.on(host, ["nft", "list", "counter", "ip", "heard", "echoes"]);
    return Number(/packets (\d+)/.exec(said)![1]);
  };
}

Deno.test("ipsec: two hosts reach each other whole and at full size, and nothing of it is in clear", async () => {
  const { hosts, all: [first, second] } = await ipsecHosts();
  await using _ = hosts;
  const shown = ["sh", "-c", "ip -brief link; ip xfrm state; ip xfrm policy; ip route show proto 113"];
  const before = await hosts.on(first, shown);
  await first.kernel.require(ipsec.needs);
  await hosts.joinAll();
  const seen = await count(second);
  await allReach(hosts, { 4: 1446 });
  await stream({ from: first, to: second, megabytes: 100 });
  assert.equal(await seen.clear(), 0);
  assert.ok(await seen.esp() > 100);
  assert.equal(await hosts.join(first), 0);
  await hosts.leave(first);
  assert.equal(await hosts.on(first, shown), before);
});

Deno.test("ipsec: keys change under traffic, and no packet is lost", async () => {
  const { hosts, all: [first, second] } = await ipsecHosts();
  await using _ = hosts;
  await hosts.joinAll();
  const seen = await count(second);
  const { epoch, nonce } = first.host.ipsec!;
  const indices = () => hosts.on(first, ["sh", "-c", "ip xfrm state | grep -o 'spi [^ ]*' | sort"]);
  const old = await indices();
  const [asked, answered] = [await countEchoes(hosts, second), await countEchoes(hosts, first)];
  const words = ["ping", "-n", "-q", "-i", "0.03", "-I", first.container, second.container];
  const pinging = new Deno.Command("ip", {
    args: ["netns", "exec", first.namespace, ...words],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const flows = async () => {
    const before = await answered();
    await until("echoes by the keys of now", async () => await answered() >= before + 3);
  };
  try {
    await flows();
    // One host is an epoch before the other one each time.
    for (const later of [1, 2, 3]) {
      await hosts.join(first, { ipsec: { nonce, epoch: epoch + later } });
      await flows();
      await hosts.join(second, { ipsec: { nonce: second.host.ipsec!.nonce, epoch: epoch + later } });
      await flows();
    }
  } finally {
    pinging.kill("SIGINT");
  }
  const said = new TextDecoder().decode((await pinging.output()).stdout);
  const sent = Number(/(\d+) packets transmitted/.exec(said)?.[1]);
  assert.ok(sent > 0, said);
  // What ping itself takes for lost may only be late.
  await until("every echo, and its answer", async () => await asked() === sent && await answered() === sent);
  assert.notEqual(await indices(), old);
  assert.equal(await seen.clear(), 0);
});

/** Deletes a state and a policy by hand, and a state by the host's kernel itself, and insists that it tells of each whose doing it was. */
async function deletionsAreTold(hosts: VmHosts, host: VmHost): Promise<void> {
  const objects = await host.kernel.dump({ links: ["flan.ipsec"], sysctls: [] });
  const [state, other] = objects.filter((object) => object.kind === "xfrm-state");
  const policy = objects.find((object) => object.kind === "xfrm-policy" && object.interfaceId !== 0)!;
  const stop = new AbortController();
  const events = host.kernel.events(stop.signal)[Symbol.asyncIterator]();
  for (const [object, own] of [[state!, false], [policy, false], [other!, true]] as const) {
    const change = { verb: "delete", object } as const;
    if (own) assert.deepEqual(await host.kernel.apply([change]), []);
    else await hosts.on(host, ["sh", "-c", toCommands([change])[0]!]);
    const told = await nextEvent(events, ({ group }) => group === "ipsec");
    assert.deepEqual([told.action, told.own, keyOfEvent(told)], ["delete", own, eventKeyOf(object)]);
  }
  stop.abort();
  await events.return?.();
}

Deno.test("ipsec: without states nothing goes out, and nothing in clear is let in", async () => {
  const { hosts, all: [first, second] } = await ipsecHosts();
  await using _ = hosts;
  await hosts.joinAll();
  const seen = await count(second);
  const lost = async () => (await ping({ from: first, to: second, more: ["-W", "2"] })).code;
  assert.equal(await lost(), 0);
  await deletionsAreTold(hosts, first);
  await hosts.on(first, ["ip", "xfrm", "state", "flush"]);
  assert.equal(await lost(), 1);
  // The same keys are not given to the kernel again: an agent takes another nonce then.
  await assert.rejects(hosts.join(first), /its key was given to the kernel before/);
  assert.equal(await lost(), 1);
  await hosts.on(first, ["ip", "xfrm", "policy", "flush"]);
  assert.equal(await lost(), 1);
  await hosts.on(first, ["ip", "link", "delete", "flan.ipsec"]);
  assert.equal(await lost(), 1);
  assert.equal(await seen.clear(), 0);
  // Somebody sends past the device what should have been encrypted.
  await hosts.on(first, ["ip", "route", "add", "10.5.2.0/24", "via", second.host.publicIp]);
  assert.equal(await lost(), 1);
  assert.equal(await seen.clear(), 1);
});

Deno.test(
  "ipsec: with UDPEncap all goes in UDP between two ports 4500, whole and at full size, while somebody holds the socket",
  async () => {
    const { hosts, all: [first, second] } = await ipsecHosts({ UDPEncap: true });
    await using _ = hosts;
    const holder = () => hosts.on(second, ["sh", "-c", "ss -Hulpn 'sport = :4500' | grep -o 'pid=[0-9]*'"]);
    const shown = ["sh", "-c", "ip -brief link; ip xfrm state; ip xfrm policy; ss -Hulpn"];
    const before = await hosts.on(second, shown);
    await second.kernel.require([...ipsec.needs, "udp-encap"]);
    await hosts.joinAll();
    const ports = "udp sport 4500 udp dport 4500";
    // What is no UDP matches neither of the two.
    const seen = await count(second, [
      ports,
      "ip protocol != udp counter name open; udp dport != 4500",
    ]);
    await allReach(hosts, { 4: 1438 });
    await stream({ from: first, to: second, megabytes: 10 });
    assert.equal(await seen.clear(), 0);
    assert.ok(await seen.esp() > 100);
    assert.equal(await hosts.join(second), 0);
    const [, pid] = /pid=(\d+)/.exec(await holder())!;
    Deno.kill(Number(pid), "SIGKILL");
    await until(
      "a host that nobody holds the socket of",
      async () => (await ping({ from: first, to: second, more: ["-W", "2"] })).code === 1,
    );
    assert.equal(await hosts.join(second), 1, "the process alone is missing");
    assert.notEqual(/pid=(\d+)/.exec(await holder())![1], pid);
    assert.equal((await ping({ from: first, to: second })).code, 0);
    await hosts.leave(second);
    assert.equal(await hosts.on(second, shown), before);
    await hosts.leave(first);
  },
);

Deno.test("ipsec: a port 4500 that another program has is told of before anything is made", async () => {
  const { hosts, all: [first] } = await ipsecHosts({ UDPEncap: true });
  await using _ = hosts;
  const stranger = inside(
    first.namespace,
    () => openUdpSocket({ address: "127.0.0.1", port: ENCAP_PORT, shared: false }),
  );
  await assert.rejects(first.kernel.require(["udp-encap"]), {
    code: "unsupported",
    message: /^Cannot take ESP out of UDP: port 4500 is taken by deno\[\d+\] \(EADDRINUSE\)$/,
  });
  closeFd(stranger);
  await first.kernel.require(["udp-encap"]);
});
