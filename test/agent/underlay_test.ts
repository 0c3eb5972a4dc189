import assert from "node:assert/strict";
import type { Family } from "../../net/ip.ts";
import type { Underlay } from "../../backends/backend.ts";
import { localAddresses } from "../../agent/surroundings.ts";
import { findUnderlay } from "../../agent/underlay.ts";
import type { KernelObject, Link, Route } from "../../kernel/state.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { FakeStack } from "../lib/fake_stack.ts";
import { defaultRoute } from "../lib/agents.ts";

const plain: Link = { kind: "link", name: "lo", type: "", alias: "", mac: "", mtu: 65536, up: true };
const link = (name: string, change: Partial<Link> = {}): Link => ({ ...plain, name, mtu: 1500, ...change });
const address = (on: string, text: string): KernelObject => ({ kind: "address", link: on, address: text });
const route = (change: Partial<Route>): Route => ({ ...defaultRoute, ...change });

/** eth0 and eth1 with an address each, a link-local one before the better, a loopback and a tunnel of flan's. */
function host(...more: KernelObject[]): FakeKernel {
  const stack = new FakeStack();
  const objects = [
    plain,
    address("lo", "127.0.0.1/8"),
    link("eth0"),
    address("eth0", "169.254.7.7/16"),
    address("eth0", "192.0.2.1/24"),
    link("eth1", { mtu: 9000 }),
    address("eth1", "198.51.100.1/24"),
    address("eth1", "fd00::1/64"),
    link("flan.1", { alias: "flan 0123" }),
    address("flan.1", "10.5.1.0/32"),
    ...more,
  ];
  for (const object of objects) assert.equal(stack.add(object), undefined);
  return new FakeKernel(stack);
}

async function find(
  kernel: FakeKernel,
  wishes: readonly string[] = [],
  publicIp?: string,
): Promise<Underlay> {
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const wish = { objects, families: [4] as const, wishes, publicIp, publicIp6: undefined };
  return (await findUnderlay(kernel, wish)).underlay;
}

async function chosen(kernel: FakeKernel, ...wishes: string[]): Promise<string> {
  const { link, address } = await find(kernel, wishes);
  return `${link} ${address}`;
}

Deno.test("underlay: the default route with the lowest metric decides, and global addresses come first", async () => {
  const zero = route({ link: "eth0", metric: 100 });
  const one = route({ link: "eth1", metric: 50, gateway: "198.51.100.254" });
  assert.equal(await chosen(host(zero)), "eth0 192.0.2.1");
  assert.equal(await chosen(host(zero, one)), "eth1 198.51.100.1");
  assert.equal((await find(host(one))).mtu, 9000);
});

Deno.test("underlay: a default route over a link without an IPv4 address, or over flan's own, does not count", async () => {
  const bare = link("eth2");
  const over = (name: string, metric: number) => route({ link: name, metric, gateway: "" });
  assert.equal(
    await chosen(host(bare, over("eth2", 0), over("flan.1", 1), over("eth1", 2))),
    "eth1 198.51.100.1",
  );
});

Deno.test("underlay: the link that carries the public address is chosen where nothing was wished for", async () => {
  const kernel = host(route({ link: "eth0" }));
  assert.equal((await find(kernel, [], "198.51.100.1")).link, "eth1");
  assert.equal((await find(kernel, [], "203.0.113.9")).link, "eth0");
});

Deno.test("underlay: it comes with the gateways of its own link, each once", async () => {
  const routes = [
    route({ link: "eth0", metric: 5, gateway: "192.0.2.254" }),
    route({ link: "eth0", destination: "203.0.113.0/24", gateway: "192.0.2.254" }),
    route({ link: "eth1", metric: 9, gateway: "198.51.100.254" }),
  ];
  assert.deepEqual((await find(host(...routes))).gateways, ["192.0.2.254"]);
});

Deno.test("underlay: it comes with the prefixes on its own link, and those within them that lie behind a gateway", async () => {
  const routes = [
    route({ link: "eth0", gateway: "192.0.2.254" }),
    route({ link: "eth0", destination: "203.0.113.0/24", gateway: "" }),
    route({ link: "eth0", destination: "192.0.2.128/25", gateway: "192.0.2.254" }),
    route({ link: "eth0", destination: "198.51.100.0/25", gateway: "192.0.2.254" }),
    route({ link: "eth0", destination: "192.0.2.64/26", gateway: "", type: "prohibit" }),
    route({ link: "eth0", destination: "fd00:1::/64", gateway: "" }),
    route({ link: "eth1", destination: "198.51.100.0/26", gateway: "" }),
    route({ link: "eth0", destination: "10.5.2.0/24", gateway: "192.0.2.2", protocol: 113 }),
  ];
  const { onLink, offLink, gateways } = await find(host(...routes), ["eth0"]);
  assert.deepEqual(onLink, ["169.254.0.0/16", "192.0.2.0/24", "203.0.113.0/24"]);
  assert.deepEqual(offLink, ["192.0.2.128/25"]);
  assert.deepEqual(gateways, ["192.0.2.254"], "a peer is no gateway of the underlay");
});

Deno.test("underlay: a default route without a gateway makes nobody a neighbour", async () => {
  const { onLink } = await find(host(route({ link: "eth1", gateway: "" })), ["eth1"]);
  assert.deepEqual(onLink, ["198.51.100.0/24"]);
});

Deno.test("underlay: a peer that flan itself routes by is no address of this host", async () => {
  const own = route({ link: "eth0", destination: "10.5.2.0/24", gateway: "192.0.2.2", protocol: 113 });
  const local = localAddresses(await host(own).dump({ links: [], sysctls: [] }));
  assert.ok(!local.includes("192.0.2.2"));
});

Deno.test("underlay: local addresses are those of all links but flan's, with their gateways", async () => {
  const kernel = host(route({ link: "eth1", gateway: "198.51.100.254" }), address("eth0", "10.5.7.77/24"));
  const local = localAddresses(await kernel.dump({ links: [], sysctls: [] }));
  assert.ok(local.includes("10.5.7.77") && local.includes("198.51.100.254") && local.includes("192.0.2.1"));
  assert.ok(!local.includes("10.5.1.0"));
});

/** Beside IPv4, eth1 has a global address of IPv6 after ones that nobody is to be known by, and eth2 has IPv6 alone. */
function dualHost(...more: KernelObject[]): FakeKernel {
  const passing = (text: string): KernelObject => ({
    kind: "address",
    link: "eth1",
    address: text,
    passing: true,
  });
  return host(
    passing("2001:db8::dead/64"),
    address("eth1", "fe80::1/64"),
    address("eth1", "2001:db8::1/64"),
    address("eth1", "2001:db8::2/64"),
    link("eth2"),
    address("eth2", "2001:db8:2::1/64"),
    ...more,
  );
}

async function grounds(
  kernel: FakeKernel,
  { families = [4, 6], wishes = [], publicIp, publicIp6 }: {
    families?: readonly Family[];
    wishes?: readonly string[];
    publicIp?: string;
    publicIp6?: string;
  } = {},
) {
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const { underlay, ipv6 } = await findUnderlay(kernel, { objects, families, wishes, publicIp, publicIp6 });
  return [underlay.link, underlay.address, ...(ipv6 === undefined ? [] : [ipv6.address])].join(" ");
}

const over = (name: string, metric: number) => route({ link: name, metric, gateway: "" });
const over6 = (name: string, metric: number) =>
  route({ destination: "::/0", link: name, metric, gateway: "fe80::99" });

Deno.test("underlay: in dual stack it is a link with both families, whatever has the better default route", async () => {
  assert.equal(await grounds(dualHost(over("eth0", 1), over("eth1", 9))), "eth1 198.51.100.1 fd00::1");
  await assert.rejects(grounds(dualHost(over("eth0", 1))), {
    message:
      "Cannot choose the underlay interface: no default route is over a link with IPv4 and IPv6 addresses; " +
      "links with IPv4 and IPv6 addresses: eth1 (198.51.100.1 and fd00::1), eth1 (198.51.100.1 and 2001:db8::1), " +
      "eth1 (198.51.100.1 and 2001:db8::2)",
  });
});

Deno.test("underlay: an interface may be asked for by either address, and is refused where it lacks a family", async () => {
  const kernel = dualHost(over("eth1", 9));
  const asked = async (...wishes: string[]) => await grounds(kernel, { wishes });
  assert.equal(await asked("eth1"), "eth1 198.51.100.1 fd00::1");
  assert.equal(await asked("2001:db8::2"), "eth1 198.51.100.1 2001:db8::2");
  assert.equal(await asked("eth0", "eth2", "regex:^2001:db8"), "eth1 198.51.100.1 2001:db8::1");
  await assert.rejects(asked("eth0"), /--iface eth0 fits no link with IPv4 and IPv6 addresses/);
  await assert.rejects(asked("2001:db8::dead"), /fits no link/);
});

Deno.test("underlay: the IPv6 address that is announced is taken where the link has it", async () => {
  const kernel = dualHost(over("eth1", 9));
  assert.equal(await grounds(kernel, { publicIp6: "2001:db8::2" }), "eth1 198.51.100.1 2001:db8::2");
  assert.equal(await grounds(kernel, { publicIp6: "2001:db8:9::9" }), "eth1 198.51.100.1 fd00::1");
});

Deno.test("underlay: of IPv6 alone it needs no IPv4, and global addresses come first", async () => {
  const find6 = async (kernel: FakeKernel, wishes: readonly string[] = []) =>
    await grounds(kernel, { families: [6], wishes });
  assert.equal(
    await find6(dualHost(over("eth0", 0), over6("eth1", 9), over6("eth2", 5))),
    "eth2 2001:db8:2::1",
  );
  assert.equal(await find6(dualHost(), ["eth1"]), "eth1 fd00::1");
  await assert.rejects(
    find6(dualHost(over("eth0", 0))),
    /there is no default route; links with an IPv6 address: /,
  );
  const onlyLocal = host(link("eth3"), address("eth3", "fe80::3/64"));
  await assert.rejects(find6(onlyLocal, ["eth3"]), /--iface eth3 fits no link with an IPv6 address; links/);
  assert.equal(await find6(onlyLocal, ["fe80::3"]), "eth3 fe80::3", "named");
});

Deno.test("underlay: each family comes with its own gateways and neighbours", async () => {
  const kernel = dualHost(
    over6("eth1", 9),
    route({ destination: "0.0.0.0/0", link: "eth1", gateway: "198.51.100.254" }),
    route({ destination: "2001:db8::/64", link: "eth1", gateway: "" }),
    route({ destination: "2001:db8::8000/113", link: "eth1", gateway: "2001:db8::9" }),
  );
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const wish = { objects, wishes: ["eth1"], publicIp: undefined, publicIp6: undefined };
  const { underlay, ipv6 } = await findUnderlay(kernel, { ...wish, families: [4, 6] });
  assert.deepEqual([underlay.gateways, ipv6!.gateways], [["198.51.100.254"], ["fe80::99", "2001:db8::9"]]);
  assert.ok(ipv6!.onLink.includes("2001:db8::/64") && !ipv6!.onLink.includes("::/0"));
  assert.deepEqual(ipv6!.offLink, ["2001:db8::8000/113"]);
  assert.ok(underlay.onLink.every((prefix) => !prefix.includes(":")));
});

Deno.test("underlay: local addresses are of both families, without the link-local ones of IPv6", async () => {
  const local = localAddresses(await dualHost(over6("eth1", 1)).dump({ links: [], sysctls: [] }));
  assert.ok(["192.0.2.1", "fd00::1", "2001:db8::dead", "fe80::99"].every((one) => local.includes(one)));
  assert.ok(!local.includes("fe80::1"));
});

const wishes: readonly [readonly string[], string][] = [
  [["eth1"], "eth1 198.51.100.1"],
  [["198.51.100.1"], "eth1 198.51.100.1"],
  [["169.254.7.7"], "eth0 169.254.7.7"],
  [["eth0"], "eth0 192.0.2.1"],
  [["eth9", "eth1"], "eth1 198.51.100.1"],
  [["regex:^198\\."], "eth1 198.51.100.1"],
  [["regex:^eth"], "eth0 192.0.2.1"],
  [["regex:1$", "eth1"], "eth0 192.0.2.1"],
  [["can-reach:198.51.100.77"], "eth1 198.51.100.1"],
  [["can-reach:203.0.113.1", "eth0"], "eth0 192.0.2.1"],
];

for (const [wish, expected] of wishes) {
  Deno.test(`underlay: --iface ${wish.join(" --iface ")} is ${expected}`, async () => {
    assert.equal(await chosen(host(), ...wish), expected);
  });
}

Deno.test("underlay: a link that was named has its link-local address taken where it has no other one", async () => {
  const bare = [link("eth2"), address("eth2", "169.254.9.9/16")];
  assert.equal(await chosen(host(...bare), "eth2"), "eth2 169.254.9.9");
  assert.equal(await chosen(host(...bare, address("eth2", "203.0.113.9/24")), "eth2"), "eth2 203.0.113.9");
});

Deno.test("underlay: where nothing fits, the error lists what there is", async () => {
  const known = "eth0 \\(192\\.0\\.2\\.1\\), eth1 \\(198\\.51\\.100\\.1\\), eth0 \\(169\\.254\\.7\\.7\\)";
  // Nobody wrote anything wrong: before DHCP answers, trying again is what helps.
  await assert.rejects(chosen(host()), {
    code: "failed",
    message: new RegExp(`there is no default route; .*: ${known}`),
  });
  await assert.rejects(chosen(host(), "wlan0", "flan.1"), {
    code: "invalid",
    message: new RegExp(`wlan0, flan\\.1 fits no link .*: ${known}`),
  });
});

Deno.test("underlay: a wish that cannot be understood is an error that shows it", async () => {
  await assert.rejects(chosen(host(), "regex:("), { code: "invalid", message: /regex:\(/ });
  await assert.rejects(chosen(host(), "can-reach:010.0.0.1"), { code: "invalid", message: /010\.0\.0\.1/ });
});

Deno.test("underlay: a link that is down keeps its neighbours, by its addresses, and says that it is down", async () => {
  const kernel = host();
  const up = await find(kernel, ["198.51.100.1"]);
  kernel.stack.replace(link("eth1", { mtu: 9000, up: false }));
  const down = await find(kernel, ["198.51.100.1"]);
  assert.deepEqual([down, up.up], [{ ...up, up: false }, true]);
});

/** The underlay of a host that had eth0, which has a route over each of `over`, the best one first, after `change`. */
async function after(change: (stack: FakeStack) => unknown, ...over: readonly string[]): Promise<string> {
  const kernel = host(...over.map((link, metric) => route({ link, metric, gateway: gateways[link]! })));
  change(kernel.stack);
  const former = { link: "eth0", address: "192.0.2.1" };
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const { underlay: found } = await findUnderlay(kernel, {
    objects,
    families: [4],
    wishes: [],
    publicIp: undefined,
    publicIp6: undefined,
    former,
  });
  return `${found.link} ${found.address} ${found.up ? "up" : "down"}`;
}

const gateways: Readonly<Record<string, string>> = { eth0: "192.0.2.254", eth1: "198.51.100.254" };
const setDown = (stack: FakeStack) => stack.replace({ ...stack.link("eth0")!, up: false });
const pullOut = (stack: FakeStack) => stack.replace({ ...stack.link("eth0")!, noCarrier: true });
const loseAddress = (stack: FakeStack) => stack.delete(address("eth0", "192.0.2.1/24"));

Deno.test("underlay: the one that a host is in the network by stays while it is whole, whatever the default route is", async () => {
  assert.equal(await after(() => {}), "eth0 192.0.2.1 up");
  assert.equal(await after(() => {}, "eth1"), "eth0 192.0.2.1 up");
});

Deno.test("underlay: one that is down, without carrier or without its address gives way to the default route's", async () => {
  for (const change of [setDown, pullOut, loseAddress]) {
    assert.equal(await after(change, "eth1"), "eth1 198.51.100.1 up");
  }
  assert.equal(await after(pullOut, "eth0", "eth1"), "eth1 198.51.100.1 up", "a route over a dead link");
  const renumber = (stack: FakeStack) => (stack.add(address("eth0", "192.0.2.9/24")), loseAddress(stack));
  assert.equal(await after(renumber, "eth0"), "eth0 192.0.2.9 up");
});

Deno.test("underlay: one that is not whole stays where no default route leads elsewhere, and no other address is taken", async () => {
  const gone = { message: /: address 192\.0\.2\.1 is gone from link eth0, and there is no default route; / };
  assert.equal(await after(setDown), "eth0 192.0.2.1 down");
  assert.equal(await after(pullOut), "eth0 192.0.2.1 up");
  assert.equal(await after(pullOut, "eth0"), "eth0 192.0.2.1 up");
  const deadToo = (stack: FakeStack) => {
    pullOut(stack);
    stack.replace({ ...stack.link("eth1")!, noCarrier: true });
  };
  assert.equal(await after(deadToo, "eth1", "eth0"), "eth0 192.0.2.1 up");
  await assert.rejects(after(loseAddress), gone);
  const withVip = (stack: FakeStack) => (stack.add(address("eth0", "192.0.2.100/32")), loseAddress(stack));
  await assert.rejects(after(withVip), gone);
  // The link-local address keeps the route over its link, and leads to nobody all the same.
  await assert.rejects(after(loseAddress, "eth0"), {
    message: /address 192\.0\.2\.1 is gone from link eth0/,
  });
});

Deno.test("underlay: at the first join a default route over a link with carrier goes before a better one without", async () => {
  const kernel = host(route({ metric: 1 }), route({ link: "eth1", metric: 2, gateway: gateways["eth1"]! }));
  assert.equal(await chosen(kernel), "eth0 192.0.2.1");
  pullOut(kernel.stack);
  assert.equal(await chosen(kernel), "eth1 198.51.100.1");
});

Deno.test("underlay: of a former one that is gone the error says what of it", async () => {
  await assert.rejects(after((stack) => stack.delete(stack.link("eth0")!)), {
    message: /: link eth0 is gone, and there is no default route; links with an IPv4 address: eth1 /,
  });
});
