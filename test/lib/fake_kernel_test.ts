/** The in-memory kernel is held to the behaviour that was read off Linux, and does what tests ask of it. */
import assert from "node:assert/strict";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, type Link } from "../../kernel/state.ts";
import { kernelSuite } from "../conformance/kernel_suite.ts";
import { FakeKernel, hostStack } from "./fake_kernel.ts";
import { proxy, proxyRoute, tun, udpPlanned } from "./udp_plan.ts";

kernelSuite({
  name: "fake kernel",
  open: () => {
    const stack = hostStack("eth0");
    const kernels: FakeKernel[] = [];
    return Promise.resolve({
      kernel() {
        const kernel = new FakeKernel(stack);
        kernels.push(kernel);
        return kernel;
      },
      underlay: "eth0",
      close: () => Promise.resolve(kernels.forEach((kernel) => kernel.close())),
    });
  },
});

const device: Link = {
  kind: "link",
  name: "flan.1",
  type: "vxlan",
  alias: "flan a",
  mac: "02:00:00:00:00:01",
  mtu: 1450,
  up: true,
  vxlan: { vni: 1, port: 8472, local: "192.0.2.1", parent: "eth0", learning: false, gbp: false },
};
const address: KernelObject = { kind: "address", link: "flan.1", address: "10.5.1.0/32" };

Deno.test("fake kernel: an injected failure hits its verb and kind as often as asked, and changes nothing", async () => {
  const kernel = new FakeKernel();
  kernel.failNext("add", "ENOBUFS", { kind: "link", times: 2 });
  for (let i = 0; i < 2; i++) {
    const failures = await kernel.apply([{ verb: "add", object: device }]);
    assert.deepEqual(failures.map(({ error }) => error.errno), ["ENOBUFS"]);
    assert.equal(kernel.stack.link("flan.1"), undefined);
  }
  assert.deepEqual(
    await kernel.apply([{ verb: "add", object: device }, { verb: "add", object: address }]),
    [],
  );
  assert.equal(kernel.attempted.length, 4);
});

Deno.test("fake kernel: a whole call can fail, and what did not come to pass is taken back", async () => {
  const kernel = new FakeKernel();
  kernel.failNext("dump", "EINTR");
  kernel.failNext("apply", "EPERM", { times: 2 });
  await assert.rejects(kernel.dump({ links: [], sysctls: [] }), { errno: "EINTR" });
  await kernel.dump({ links: [], sysctls: [] });
  await assert.rejects(kernel.apply([]), { errno: "EPERM", code: "not-permitted" });
  assert.equal(kernel.heal(), 1);
  assert.deepEqual(await kernel.apply([]), []);
  assert.deepEqual(kernel.calls, { dump: 2, apply: 2, events: 0, routeGet: 0, routeMatch: 0 });
});

Deno.test("fake kernel: a second device with the same VNI and port is refused", async () => {
  const kernel = new FakeKernel();
  await kernel.apply([{ verb: "add", object: device }]);
  const [failure] = await kernel.apply([{ verb: "add", object: { ...device, name: "other" } }]);
  assert.equal(failure?.error.errno, "EEXIST");
});

Deno.test("fake kernel: a deleted parent takes the VXLAN device that is bound to it along", async () => {
  const kernel = new FakeKernel();
  await kernel.apply([{ verb: "add", object: device }, { verb: "add", object: address }]);
  kernel.stack.delete(kernel.stack.link("eth0")!);
  assert.deepEqual([...kernel.stack.objects.keys()], ["link lo"]);
});

Deno.test("fake kernel: the last IPv4 address takes neighbours and plain routes along, not nexthop routes", async () => {
  const kernel = new FakeKernel();
  const protocol = 113;
  const route: KernelObject = {
    kind: "route",
    destination: "10.5.2.0/24",
    metric: 0,
    link: "flan.1",
    gateway: "10.5.2.0",
    onlink: true,
    nexthop: 7,
    type: "unicast",
    protocol,
  };
  const objects: KernelObject[] = [
    device,
    address,
    { kind: "nexthop", id: 7, gateway: "10.5.2.0", link: "flan.1", onlink: true, protocol },
    {
      kind: "neighbour",
      link: "flan.1",
      ip: "10.5.2.0",
      mac: "02:00:00:00:00:02",
      state: "permanent",
      protocol,
    },
    route,
    { ...route, destination: "10.5.3.0/24", nexthop: 0 },
  ];
  assert.deepEqual(await kernel.apply(objects.map((object) => ({ verb: "add", object }))), []);
  kernel.stack.delete(address);
  assert.deepEqual([...kernel.stack.objects.keys()].filter((key) => !/lo|eth0|192/.test(key)), [
    "link flan.1",
    "nexthop 7",
    "route 10.5.2.0/24 metric 0",
  ]);
});

Deno.test("fake kernel: IPv4 routes that go with a link that is set down are not announced", async () => {
  const kernel = new FakeKernel();
  const stop = new AbortController();
  const events = kernel.events(stop.signal);
  kernel.stack.replace({ ...kernel.stack.link("eth0")!, up: false });
  kernel.stack.overrun();
  const seen: KernelEvent["group"][] = [];
  for await (const event of events) {
    seen.push(event.group);
    if (event.group === "overrun") break;
  }
  assert.deepEqual(seen, ["link", "overrun"]);
  assert.equal(kernel.stack.objects.has("route 192.0.2.0/24 metric 0"), false);
});

Deno.test("fake kernel: an address that is asked for stands unresolved, one with a MAC is probed", async () => {
  const kernel = new FakeKernel();
  await kernel.apply([{ verb: "add", object: device }]);
  kernel.stack.ask("flan.1", "10.5.2.9");
  const key = "neighbour 10.5.2.9 dev flan.1";
  const asked = kernel.stack.objects.get(key);
  assert.ok(asked?.kind === "neighbour");
  assert.deepEqual([asked.state, asked.mac, asked.protocol], ["incomplete", "", 0]);
  kernel.stack.replace({ ...asked, mac: "02:00:00:00:00:02", state: "stale", protocol: 113 });
  kernel.stack.ask("flan.1", "10.5.2.9");
  const probed = kernel.stack.objects.get(key);
  assert.ok(probed?.kind === "neighbour");
  assert.deepEqual([probed.state, probed.mac], ["probe", "02:00:00:00:00:02"]);
});

Deno.test("fake kernel: a proxy needs its link, its queues and its address, and its routes need the proxy", async () => {
  const refusals: [readonly KernelObject[], string[]][] = [
    [udpPlanned([2]).slice(2, 4), ["ENODEV", "ENOTCONN"]],
    [[device, { ...proxy, link: "flan.1" }], ["EINVAL"]],
    [udpPlanned([], { proxy: { queues: 2 } }), ["EINVAL"]],
    [udpPlanned([], { proxy: { address: "192.0.2.77" } }), ["EADDRNOTAVAIL"]],
    [udpPlanned([2, 3]), []],
  ];
  for (const [objects, errnos] of refusals) {
    const failures = await new FakeKernel().apply(objects.map((object) => ({ verb: "add", object })));
    assert.deepEqual(failures.map(({ error }) => error.errno), errnos);
  }
});

Deno.test("fake kernel: telling a proxy what it does already is no failure, and its end takes its routes along", async () => {
  const kernel = new FakeKernel();
  const base = [...kernel.stack.objects.keys()];
  const plan = udpPlanned([2, 3]);
  const proxys = plan.filter(({ kind }) => kind === "proxy" || kind === "proxy-route");
  await kernel.apply(plan.map((object) => ({ verb: "add", object })));
  assert.deepEqual(await kernel.apply(proxys.map((object) => ({ verb: "add", object }))), []);
  assert.deepEqual(
    await kernel.apply([{ verb: "delete", object: proxy }, { verb: "delete", object: proxy }]),
    [],
  );
  const rest = plan.filter((object) => !proxys.includes(object)).map(keyOf);
  assert.deepEqual([...kernel.stack.objects.keys()], [...base, ...rest]);
});

Deno.test("fake kernel: a proxy outlives its link with its routes, carries nothing, and that is announced as no one's doing", async () => {
  const kernel = new FakeKernel();
  await kernel.apply(udpPlanned([2]).map((object) => ({ verb: "add", object })));
  const stop = new AbortController();
  const events = kernel.events(stop.signal);
  await kernel.apply([{ verb: "delete", object: tun }]);
  kernel.stack.failProxy("flan0");
  await kernel.apply([{ verb: "delete", object: proxyRoute(2) }, { verb: "delete", object: proxy }]);
  const seen: unknown[] = [];
  for await (const { group, action, own, link } of events) {
    seen.push([group, action, own, link]);
    if (group === "proxy" && own) break;
  }
  assert.deepEqual(seen, [
    ["link", "delete", true, "flan0"],
    ["proxy", "delete", false, "flan0"],
    ["proxy", "delete", true, "flan0"],
  ]);
});

Deno.test("fake kernel: a failed proxy carries again once it is told to", async () => {
  const kernel = new FakeKernel();
  await kernel.apply(udpPlanned([2]).map((object) => ({ verb: "add", object })));
  kernel.stack.failProxy("flan0");
  assert.deepEqual(kernel.stack.objects.get(keyOf(proxy)), { ...proxy, carrying: false });
  await kernel.apply([{ verb: "replace", object: proxy }]);
  assert.deepEqual(kernel.stack.objects.get(keyOf(proxy)), proxy);
  kernel.failNext("replace", "EADDRINUSE", { kind: "proxy" });
  const [failure] = await kernel.apply([{ verb: "replace", object: proxy }]);
  assert.match(
    failure!.error.message,
    /^Cannot replace proxy of flan0 .*: Address already in use \(EADDRINUSE\)$/,
  );
});

Deno.test("fake kernel: a feature that was taken away is missing, with what brings it", async () => {
  const kernel = new FakeKernel();
  await kernel.require(["tun", "proxy"]);
  kernel.lacks.add("proxy");
  await kernel.require(["tun"]);
  await assert.rejects(kernel.require(["tun", "proxy"]), { code: "unsupported", hint: "deno task build" });
  kernel.lacks.add("tun");
  await assert.rejects(kernel.require(["proxy", "tun"]), { hint: "deno task build" });
  await assert.rejects(kernel.require(["tun"]), { code: "unsupported", hint: "modprobe tun" });
});
