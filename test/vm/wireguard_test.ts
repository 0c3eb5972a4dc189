/**
 * The wireguard backend on a stock kernel, whose own WireGuard is told by generic netlink: it passes the backend suite,
 * and its hosts reach each other.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { NativeWireguard } from "../../ffi/wireguard_devices.ts";
import { NETLINK_GENERIC, NetlinkSocket } from "../../ffi/netlink_socket.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { openWireguardKernel } from "../../wireguard/wireguard_kernel.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { openSystem } from "../ffi/system.ts";
import { allKeys, publicKey } from "../lib/fake_wireguard.ts";
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

Deno.test("wireguard: three hosts reach each other whole and at full size, and leave nothing", async (t) => {
  await using hosts = await VmHosts.create({
    name: "wireguard",
    count: 3,
    backend: wireguard,
    facts: (number) => ({ publicKey: publicKey(number) }),
    around: (kernel, { namespace }) => around(kernel, namespace),
  });
  const [first, second] = hosts.all as [typeof hosts.all[0], typeof hosts.all[0]];
  const links = ["ip", "-brief", "link"];
  const before = await hosts.on(first, links);
  await hosts.joinAll();
  await first.kernel.require(wireguard.needs);
  await t.step("packets of every size", () => allReach(hosts, 1440));
  await t.step("8 MB by TCP", () => stream(hosts, { from: first, to: second, numbers: 1_000_000 }));
  assert.equal(await hosts.join(first), 0, "a session that lives is no drift");
  await hosts.leave(first);
  assert.equal(await hosts.on(first, links), before);
  assert.equal(await hosts.on(first, ["ip", "route", "show", "proto", "113"]), "");
});
