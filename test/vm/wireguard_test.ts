/**
 * The wireguard backend on a stock kernel, whose own WireGuard is told by generic netlink: it passes the backend suite,
 * and its hosts reach each other.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { withIdentity } from "../../backends/identity.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { NativeWireguard } from "../../ffi/wireguard_devices.ts";
import { NETLINK_GENERIC, NetlinkSocket } from "../../ffi/netlink_socket.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { openWireguardKernel } from "../../wireguard/wireguard_kernel.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { openSystem } from "../ffi/system.ts";
import { allKeys, publicKey } from "../lib/fake_wireguard.ts";
import { stacks } from "../lib/stacks.ts";
import { wireguardHost, wireguardOwner, wireguardSeenBy } from "../lib/overlay.ts";
import { allReach, stream } from "./crossing.ts";
import { VmHosts } from "./hosts.ts";
import { inside } from "./namespace.ts";

/** No program is there to take the kernel's place. */
const program = {
  devices: {
    read: () => Promise.reject(new Error("no program")),
    write: () => Promise.reject(new Error("no program")),
  },
  require: () => assert.fail("the kernel has none"),
  runs: () => false,
  start: () => Promise.reject(new Error("no program")),
  stop: () => Promise.resolve(),
};

function around(kernel: Kernel, namespace?: string): Kernel {
  const open = () => new NetlinkSocket({ protocol: NETLINK_GENERIC, receiveBuffer: 1 << 20, groups: [] });
  const socket = namespace === undefined ? open() : inside(namespace, open);
  const native = new NativeWireguard({ clock: systemClock, openSocket: () => socket });
  return openWireguardKernel(kernel, { clock: systemClock, secrets: allKeys, native, program });
}

const { underlay } = wireguardHost();

backendSuite({
  name: "wireguard on Linux",
  backend: wireguard,
  host: wireguardHost({ underlay: { ...underlay, link: "under0" } }),
  owner: wireguardOwner,
  view: wireguardSeenBy({ PersistentKeepaliveInterval: 25 }),
  kernelOnly: true,
  async open() {
    const system = await openSystem();
    return { ...system, kernel: () => around(system.kernel()), close: () => system.close() };
  },
});

const [ipv6, dual] = stacks;
const devices = { 4: "flan-wg", 6: "flan-wg-v6" };

const cells = [
  { name: "IPv4", count: 2, most: { 4: 1440 }, links: [devices[4]] },
  { name: "IPv6", count: 2, stack: ipv6, most: { 6: 1420 }, links: [devices[6]] },
  { name: "dual stack", count: 2, stack: dual, most: { 4: 1440, 6: 1420 }, links: [devices[4], devices[6]] },
  {
    name: "dual stack by one device over IPv4",
    count: 2,
    stack: dual,
    options: { Mode: "auto" },
    most: { 4: 1420, 6: 1420 },
    links: [devices[4]],
  },
];

/** Of a host's devices, each its own. */
function keysOf(number: number, links: readonly string[]): string[] {
  return links.map((_, i) => publicKey(100 * i + number));
}

for (const { name, most, links, ...init } of cells) {
  Deno.test(`wireguard, ${name}: hosts reach each other whole and at full size, and leave nothing`, async (t) => {
    await using hosts = await VmHosts.create({
      ...init,
      name: "wireguard",
      backend: wireguard,
      facts: (number, host) => withIdentity(host, { macs: [], publicKeys: keysOf(number, links) }),
      around: (kernel, { namespace }) => around(kernel, namespace),
    });
    const [from, to] = hosts.all as [typeof hosts.all[0], typeof hosts.all[0]];
    const show = ["ip", "-brief", "link"];
    const before = await hosts.on(from, show);
    await hosts.joinAll();
    await from.kernel.require(wireguard.needs);
    assert.deepEqual((await hosts.on(from, ["wg", "show", "interfaces"])).trim().split(/\s+/).sort(), links);
    for (const [i, link] of links.entries()) {
      const key = await hosts.on(from, ["wg", "show", link, "public-key"]);
      assert.equal(key.trim(), keysOf(from.number, links)[i], link);
    }
    await t.step("packets of every size", () => allReach(hosts, most));
    // Both families of a network go by devices that are alike; test/netns/backends_test.ts sends more, by wireguard-go.
    const family = 6 in most ? 6 : 4;
    await t.step(`10 MB by TCP over IPv${family}`, () => stream({ from, to, family, megabytes: 10 }));
    assert.equal(await hosts.join(from), 0, "a session that lives is no drift");
    await hosts.leave(from);
    assert.equal(await hosts.on(from, show), before);
    for (const one of ["-4", "-6"]) {
      assert.equal(await hosts.on(from, ["ip", one, "route", "show", "proto", "113"]), "");
    }
  });
}
