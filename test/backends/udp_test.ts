/** What the udp backend plans, announces and refuses. */
import assert from "node:assert/strict";
import { udp } from "../../backends/udp.ts";
import { type KernelObject, keyOf, type Link, type Proxy } from "../../kernel/state.ts";
import type { Json } from "../../net/json.ts";
import { config, lease, udpHost as host, udpLease, udpView as view } from "../lib/overlay.ts";

const errorOf = (body: () => unknown): { message: string; hint: string | undefined } => {
  try {
    body();
  } catch (error) {
    assert.ok(error instanceof Error);
    const { hint } = error as { hint?: string };
    return { message: error.message, hint };
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
};

function linkIn(objects: readonly KernelObject[]): Link {
  return objects.find((object): object is Link => object.kind === "link")!;
}

function proxyIn(objects: readonly KernelObject[]): Proxy {
  return objects.find((object): object is Proxy => object.kind === "proxy")!;
}

Deno.test("udp: each peer takes a route in the proxy, and all share the device, the proxy and one kernel route", () => {
  const { objects, peers, refused } = udp.plan(view([2, 3]), host());
  const proxyRoute = (n: number): KernelObject => ({
    kind: "proxy-route",
    link: "flan0",
    destination: `10.5.${n}.0/24`,
    remote: `192.0.2.${n}`,
    port: 8285,
  });
  const expected: KernelObject[] = [
    {
      kind: "link",
      name: "flan0",
      type: "tun",
      alias: "flan 3f2a",
      mac: "",
      mtu: 1472,
      up: true,
      tun: { multiQueue: false, queueLength: 4000 },
    },
    { kind: "address", link: "flan0", address: "10.5.1.0/32" },
    {
      kind: "proxy",
      link: "flan0",
      address: "192.0.2.1",
      port: 8285,
      subnet: "10.5.1.0/24",
      source: "10.5.1.0",
      checkSource: true,
      queues: 1,
      carrying: true,
    },
    proxyRoute(2),
    proxyRoute(3),
    {
      kind: "route",
      destination: "10.5.0.0/16",
      metric: 0,
      link: "flan0",
      gateway: "",
      onlink: false,
      nexthop: 0,
      type: "unicast",
      protocol: 113,
    },
  ];
  assert.deepEqual(objects, expected);
  const keysOf = (n: number) => ["proxy flan0", keyOf(proxyRoute(n)), "route 10.5.0.0/16 metric 0"];
  assert.deepEqual(peers, [2, 3].map((n) => ({ lease: udpLease(n), way: "udp", keys: keysOf(n) })));
  assert.deepEqual(refused, []);
});

Deno.test("udp: options shape device, proxy and routes, whatever the case of their keys", () => {
  const { objects } = udp.plan(view([2], { PORT: 9999, checksource: false, Queues: 4 }), host());
  assert.deepEqual(linkIn(objects).tun, { multiQueue: true, queueLength: 4000 });
  const { port, checkSource, queues } = proxyIn(objects);
  assert.deepEqual([port, checkSource, queues], [9999, false, 4]);
  const route = objects.find(({ kind }) => kind === "proxy-route");
  assert.ok(route?.kind === "proxy-route");
  assert.equal(route.port, 9999, "leases tell no port: peers are taken to have this host's");
});

Deno.test("udp: an option that is null has its default, as in Go", () => {
  const options = { Port: null, CheckSource: null, Queues: null };
  assert.deepEqual(udp.plan(view([2], options), host()), udp.plan(view([2]), host()));
});

Deno.test("udp: behind NAT the proxy listens on the underlay's address, not on the announced one", () => {
  const { objects } = udp.plan(view([2]), host({ publicIp: "198.51.100.7" }));
  assert.equal(proxyIn(objects).address, "192.0.2.1");
});

Deno.test("udp: a lease announces neither type nor data, as flannel's", () => {
  assert.deepEqual(udp.announce(config({}, "udp"), host()), { backendType: "", backendData: undefined });
});

Deno.test("udp: needs a TUN device and the proxy, and its device has no MAC", () => {
  assert.deepEqual([udp.needs, udp.hasMac, udp.devices(config({}, "udp"))], [
    ["tun", "proxy"],
    false,
    ["flan0"],
  ]);
});

Deno.test("udp: the MTU is the underlay's less 28, and less where the host wishes so", () => {
  assert.equal(udp.mtu(config(), host()), 1472);
  assert.equal(udp.mtu(config(), host({ mtu: 1300 })), 1300);
  assert.equal(udp.mtu(config(), host({ mtu: 576 })), 576);
});

Deno.test("udp: an MTU that does not fit is refused with the range, and planned as what does", () => {
  for (const mtu of [1473, 575]) {
    assert.deepEqual(errorOf(() => udp.mtu(config(), host({ mtu }))), {
      message: `Cannot use MTU ${mtu}: 576 to 1472 fits underlay eth0`,
      hint: "--mtu 1472",
    });
  }
  const small = host({
    underlay: {
      link: "eth0",
      address: "192.0.2.1",
      up: true,
      mtu: 603,
      gateways: [],
      onLink: [],
      offLink: [],
    },
  });
  assert.equal(
    errorOf(() => udp.mtu(config(), small)).message,
    "Cannot use underlay eth0 with MTU 603: the overlay would have 575, and 576 is needed",
  );
  assert.equal(linkIn(udp.plan(view([]), host({ mtu: 9000 })).objects).mtu, 1472);
  assert.equal(linkIn(udp.plan(view([]), small).objects).mtu, 576);
});

const badOptions: readonly [Record<string, Json>, string][] = [
  [{ Port: 0 }, "Port is 0 but 1 to 65535 is needed"],
  [{ port: 65536 }, "port is 65536 but 1 to 65535 is needed"],
  [{ Port: "8285" }, 'Port is "8285" but 1 to 65535 is needed'],
  [{ Port: 8285.5 }, "Port is 8285.5 but 1 to 65535 is needed"],
  [{ Queues: 0 }, "Queues is 0 but 1 to 16 is needed"],
  [{ queues: 17 }, "queues is 17 but 1 to 16 is needed"],
  [{ Queues: [2] }, "Queues is [2] but 1 to 16 is needed"],
  [{ CheckSource: "no" }, 'CheckSource is "no" but true or false is needed'],
  [{ CHECKSOURCE: 0 }, "CHECKSOURCE is 0 but true or false is needed"],
];

for (const [options, problem] of badOptions) {
  Deno.test(`udp: an option is refused with key and value: ${problem}`, () => {
    assert.deepEqual(errorOf(() => udp.check(config(options, "udp"))), {
      message: `Cannot use the udp options: ${problem}`,
      hint: undefined,
    });
    const plan = udp.plan(view([2], options), host());
    assert.deepEqual([plan.objects, plan.peers], [[], []]);
    assert.deepEqual(plan.refused.map(({ code, reason }) => [code, reason]), [
      ["bad-config", problem],
      ["bad-config", problem],
    ]);
  });
}

Deno.test("udp: several bad options are told in one sentence", () => {
  assert.equal(
    errorOf(() => udp.check(config({ Port: -1, Queues: true }, "udp"))).message,
    "Cannot use the udp options: Port is -1 but 1 to 65535 is needed; Queues is true but 1 to 16 is needed",
  );
});

Deno.test("udp: options that it does not have are each named in a sentence, and none where there are none", () => {
  assert.deepEqual(udp.check(config({ Port: 8285, CheckSource: true, queues: 2 }, "udp")), []);
  assert.deepEqual(udp.check(config({ MTU: 1400, "\u001b[2Jx": 1 }, "udp")), [
    'The udp option "MTU" is not known to this version and is ignored',
    'The udp option "\\u001b[2Jx" is not known to this version and is ignored',
  ]);
});

Deno.test("udp: without a lease of its own a host wants nothing", () => {
  const plan = udp.plan({ ...view([2]), own: undefined }, host());
  assert.deepEqual(plan, { objects: [], peers: [], refused: [] });
});

Deno.test("udp: peers of any backend are accepted, whatever data they announce", () => {
  const others = [
    lease(2),
    lease(3, { backendType: "host-gw", backendData: undefined }),
    lease(4, { backendType: "wireguard", backendData: { PublicKey: "x" } }),
    udpLease(5),
  ];
  const { peers, refused } = udp.plan(view(others), host());
  assert.deepEqual([peers.map((peer) => peer.lease), refused], [others, []]);
});

Deno.test("udp: two peers with one address are both planned, because one may be a former lease of the other's host", () => {
  const { peers, refused } = udp.plan(view([2, udpLease(3, { publicIp: "192.0.2.2" })]), host());
  assert.deepEqual([peers.length, refused], [2, []]);
});

const badPeers: readonly [string, Parameters<typeof udpLease>[1], string][] = [
  ["bad-subnet", { subnet: "fd00::/64" }, '"fd00::/64" is not an IPv4 subnet'],
  ["bad-subnet", { subnet: "0.0.0.0/0" }, '"0.0.0.0/0" is not an IPv4 subnet'],
  ["bad-subnet", { subnet: "\u001b[2J" }, '"\\u001b[2J" is not an IPv4 subnet'],
  ["bad-endpoint", { publicIp: "224.0.0.1" }, 'PublicIP "224.0.0.1" cannot be a host\'s IPv4 address'],
  ["bad-endpoint", { publicIp: "0.0.0.0" }, 'PublicIP "0.0.0.0" cannot be a host\'s IPv4 address'],
  ["bad-endpoint", { publicIp: "fd00::1" }, 'PublicIP "fd00::1" cannot be a host\'s IPv4 address'],
  ["bad-endpoint", { publicIp: "" }, 'PublicIP "" cannot be a host\'s IPv4 address'],
  ["duplicate-endpoint", { publicIp: "192.0.2.1" }, "PublicIP 192.0.2.1 is this host's own"],
  ["duplicate-endpoint", { publicIp: "198.51.100.7" }, "PublicIP 198.51.100.7 is this host's own"],
  ["overlap", { subnet: "10.5.1.0/24" }, "10.5.1.0 is leased to this host"],
  ["overlap", { subnet: "10.5.3.0/25" }, "10.5.3.0 is leased to 10.5.3.0/24"],
];

for (const [code, change, reason] of badPeers) {
  Deno.test(`udp: one bad lease is refused alone, ${code}: ${reason}`, () => {
    const plan = udp.plan(view([3, udpLease(2, change), 4]), host({ publicIp: "198.51.100.7" }));
    assert.deepEqual(plan.peers.map((peer) => peer.lease.subnet), ["10.5.3.0/24", "10.5.4.0/24"]);
    assert.deepEqual(plan.refused.map((refused) => [refused.code, refused.reason]), [[code, reason]]);
    assert.equal(new Set(plan.objects.map(keyOf)).size, plan.objects.length);
  });
}

Deno.test("udp: a lease that stays makes the same objects, and others when this host or its network is another", () => {
  const seen = view([2, 3]);
  const first = udp.plan(seen, host());
  const again = udp.plan({ ...seen, peers: [seen.peers[0]!, udpLease(4)] }, host());
  const kept = again.objects.filter((object) => first.objects.includes(object));
  assert.deepEqual(kept.map(keyOf), ["proxy route 10.5.2.0/24 dev flan0"]);
  assert.ok(again.peers[0] === first.peers[0]);
  const moved = udp.plan(seen, host({ publicIp: "192.0.2.2" }));
  assert.deepEqual(moved.refused.map(({ code }) => code), ["duplicate-endpoint"]);
  const ports = [9000, 9001].map((Port) =>
    udp.plan({ ...seen, network: config({ Port }, "udp") }, host()).objects.flatMap((object) =>
      object.kind === "proxy-route" ? [object.port] : []
    )
  );
  assert.deepEqual(ports, [[9000, 9000], [9001, 9001]]);
  const wider = { ...seen.network, network: { ...seen.network.network, length: 15, address: 0x0a040000n } };
  const { peers } = udp.plan({ ...seen, network: wider }, host());
  assert.equal(peers[0]!.keys.at(-1), "route 10.4.0.0/15 metric 0");
});
