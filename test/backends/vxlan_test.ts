/** What the vxlan backend plans, announces and refuses. */
import assert from "node:assert/strict";
import { vxlan } from "../../backends/vxlan.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { describe, keyOf } from "../../kernel/state.ts";
import type { Json } from "../../net/json.ts";
import { config, host, lease, macOf, view } from "../lib/overlay.ts";
import { ipv6Host, ipv6View, mac6Of } from "../lib/stacks.ts";

const errorMessage = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.message;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
};

Deno.test("vxlan: a peer takes a nexthop, an FDB entry, a neighbour and a route, in this order", () => {
  const { objects, peers, refused } = vxlan.plan(view([2]), host());
  const expected: KernelObject[] = [
    {
      kind: "link",
      name: "flan.1",
      type: "vxlan",
      alias: "flan 3f2a",
      mac: macOf(1),
      mtu: 1450,
      up: true,
      vxlan: { vni: 1, port: 8472, local: "192.0.2.1", parent: "eth0", learning: false, gbp: false },
    },
    { kind: "address", link: "flan.1", address: "10.5.1.0/32" },
    { kind: "nexthop", id: 168100352, gateway: "10.5.2.0", link: "flan.1", onlink: true, protocol: 113 },
    { kind: "fdb", link: "flan.1", mac: macOf(2), remote: "192.0.2.2" },
    {
      kind: "neighbour",
      link: "flan.1",
      ip: "10.5.2.0",
      mac: macOf(2),
      state: "permanent",
      protocol: 113,
    },
    {
      kind: "route",
      destination: "10.5.2.0/24",
      metric: 0,
      link: "flan.1",
      gateway: "10.5.2.0",
      onlink: true,
      nexthop: 168100352,
      type: "unicast",
      protocol: 113,
    },
  ];
  assert.deepEqual(objects, expected);
  assert.deepEqual(peers, [{ lease: lease(2), way: "vxlan", keys: expected.slice(2).map(keyOf) }]);
  assert.deepEqual(refused, []);
});

Deno.test("vxlan: options shape the device, whatever the case of their keys", () => {
  const options = { vni: 77, PORT: 4789, Mtu: 1400, gbp: true, LEARNING: true };
  const { objects } = vxlan.plan(view([], options), host());
  const link = objects[0]!;
  assert.ok(link.kind === "link");
  assert.deepEqual([link.name, link.mtu], ["flan.77", 1350]);
  assert.deepEqual(link.vxlan, {
    vni: 77,
    port: 4789,
    local: "192.0.2.1",
    parent: "eth0",
    learning: true,
    gbp: true,
  });
  assert.deepEqual(vxlan.devices(config(options)), ["flan.77"]);
});

Deno.test("vxlan: a port or MTU of 0 means the default, as in flannel", () => {
  const link = vxlan.plan(view([], { Port: 0, MTU: 0 }), host()).objects[0]!;
  assert.ok(link.kind === "link");
  assert.deepEqual([link.vxlan?.port, link.mtu], [8472, 1450]);
});

Deno.test("vxlan: announces VNI and MAC in flannel's form", () => {
  assert.equal(
    JSON.stringify(vxlan.announce(config({ VNI: 5 }), host())),
    `{"backendType":"vxlan","backendData":{"VNI":5,"VtepMAC":"${macOf(1)}"}}`,
  );
});

Deno.test("vxlan: the MTU is the underlay's less 50, and never more than fits this host", () => {
  assert.equal(vxlan.mtu(config(), host()), 1450);
  assert.equal(vxlan.mtu(config({ MTU: 1400 }), host()), 1350);
  assert.equal(vxlan.mtu(config({ MTU: 9000 }), host()), 1450);
  assert.equal(vxlan.mtu(config(), host({ mtu: 1300 })), 1300);
  assert.equal(vxlan.mtu(config(), host({ mtu: 576 })), 576);
});

Deno.test("vxlan: an MTU that does not fit is refused with the range, and planned as what does", () => {
  for (const mtu of [1451, 575]) {
    assert.equal(
      errorMessage(() => vxlan.mtu(config(), host({ mtu }))),
      `Cannot use MTU ${mtu}: 576 to 1450 fits underlay eth0`,
    );
  }
  const small = host({
    underlay: {
      link: "eth0",
      address: "192.0.2.1",
      up: true,
      mtu: 600,
      gateways: [],
      onLink: [],
      offLink: [],
    },
  });
  assert.match(errorMessage(() => vxlan.mtu(config(), small)), /^Cannot use underlay eth0 with MTU 600: /);
  const link = vxlan.plan(view([]), host({ mtu: 9000 })).objects[0]!;
  assert.equal(link.kind === "link" && link.mtu, 1450);
});

const badOptions: readonly [Record<string, Json>, string][] = [
  [{ VNI: 0 }, "VNI is 0 but 1 to 16777215 is needed"],
  [{ vni: 16777216 }, "vni is 16777216 but 1 to 16777215 is needed"],
  [{ VNI: "1" }, 'VNI is "1" but 1 to 16777215 is needed'],
  [{ VNI: 1.5 }, "VNI is 1.5 but 1 to 16777215 is needed"],
  [{ Port: 65536 }, "Port is 65536 but 1 to 65535 is needed"],
  [{ Port: -1 }, "Port is -1 but 1 to 65535 is needed"],
  [{ MTU: 100 }, "MTU is 100 but 626 to 65535 is needed"],
  [{ GBP: "yes" }, 'GBP is "yes" but true or false is needed'],
  [{ Learning: 1 }, "Learning is 1 but true or false is needed"],
  [{ DirectRouting: "no" }, 'DirectRouting is "no" but true or false is needed'],
  [{ Mode: "ondemand" }, 'Mode is "ondemand" but "all" or "on-demand" is needed'],
];

for (const [options, problem] of badOptions) {
  Deno.test(`vxlan: an option is refused with key and value: ${problem}`, () => {
    assert.equal(
      errorMessage(() => vxlan.check(config(options))),
      `Cannot use the vxlan options: ${problem}`,
    );
    const plan = vxlan.plan(view([2], options), host());
    assert.deepEqual([plan.objects, plan.peers], [[], []]);
    assert.deepEqual(plan.refused.map(({ code, reason }) => [code, reason]), [
      ["bad-config", problem],
      ["bad-config", problem],
    ]);
  });
}

Deno.test("vxlan: options that this host ignores are each named in a sentence, and none where there are none", () => {
  assert.deepEqual(vxlan.check(config({ VNI: 1, DirectRouting: false, Mode: "all" })), []);
  const notes = vxlan.check(config({ DirectRouting: true, MacPrefix: "0E-2A", Name: "x", "\u001b[2Jx": 1 }));
  assert.equal(notes.length, 3);
  assert.match(notes.join("\n"), /"\\u001b\[2Jx" is not known/);
  assert.match(notes.join("\n"), /MacPrefix concerns Windows/);
});

Deno.test("vxlan: without a lease of its own a host wants nothing", () => {
  const plan = vxlan.plan({ ...view([2]), own: undefined }, host());
  assert.deepEqual(plan, { objects: [], peers: [], refused: [] });
});

const badPeers: readonly [string, Parameters<typeof lease>[1], string][] = [
  ["bad-backend-data", { backendData: undefined }, "BackendData is null, not an object"],
  ["bad-backend-data", { backendData: [1] }, "BackendData is [1], not an object"],
  ["bad-backend-data", { backendData: { VNI: 1 } }, "VtepMAC is missing"],
  [
    "bad-backend-data",
    { backendData: { VtepMAC: "01:00:5e:00:00:01" } },
    'VtepMAC "01:00:5e:00:00:01" cannot be one station\'s',
  ],
  [
    "bad-backend-data",
    { backendData: { VtepMAC: "00:00:00:00:00:00" } },
    'VtepMAC "00:00:00:00:00:00" cannot be one station\'s',
  ],
  [
    "bad-backend-data",
    { backendData: { VtepMAC: "nonsense" } },
    'VtepMAC "nonsense" cannot be one station\'s',
  ],
  [
    "bad-backend-data",
    { backendData: { VNI: 2 ** 32, VtepMAC: macOf(2) } },
    "VNI 4294967296 is not 1 to 16777215",
  ],
  ["bad-backend-data", { backendData: { VNI: 0, VtepMAC: macOf(2) } }, "VNI 0 is not 1 to 16777215"],
  ["vni-mismatch", { backendData: { VNI: 9, VtepMAC: macOf(2) } }, "its VNI is 9, this host's is 1"],
  [
    "duplicate-mac",
    { backendData: { VNI: 1, VtepMAC: macOf(1).toUpperCase() } },
    `VtepMAC ${macOf(1)} belongs to this host`,
  ],
  [
    "duplicate-mac",
    { backendData: { VNI: 1, VtepMAC: macOf(3) } },
    `VtepMAC ${macOf(3)} belongs to 10.5.3.0/24`,
  ],
  ["other-backend", { backendType: "host-gw" }, 'its backend is "host-gw", not "vxlan"'],
  ["bad-subnet", { subnet: "fd00::/64" }, '"fd00::/64" is not an IPv4 subnet'],
  ["bad-subnet", { subnet: "0.0.0.0/0" }, '"0.0.0.0/0" is not an IPv4 subnet'],
  ["bad-subnet", { subnet: "\u001b[2J" }, '"\\u001b[2J" is not an IPv4 subnet'],
  ["bad-endpoint", { publicIp: "224.0.0.1" }, 'PublicIP "224.0.0.1" cannot be a host\'s IPv4 address'],
  ["bad-endpoint", { publicIp: "" }, 'PublicIP "" cannot be a host\'s IPv4 address'],
  ["duplicate-endpoint", { publicIp: "192.0.2.1" }, "PublicIP 192.0.2.1 is this host's own"],
  ["overlap", { subnet: "10.5.1.0/24" }, "10.5.1.0 is leased to this host"],
  ["overlap", { subnet: "10.5.3.0/25" }, "10.5.3.0 is leased to 10.5.3.0/24"],
];

for (const [code, change, reason] of badPeers) {
  Deno.test(`vxlan: one bad lease is refused alone, ${code}: ${reason}`, () => {
    const bad = lease(2, change);
    const plan = vxlan.plan(view([3, bad, 4]), host());
    assert.deepEqual(plan.peers.map((peer) => peer.lease.subnet), ["10.5.3.0/24", "10.5.4.0/24"]);
    assert.deepEqual(plan.refused.map((refused) => [refused.code, refused.reason]), [[code, reason]]);
    assert.equal(new Set(plan.objects.map(keyOf)).size, plan.objects.length);
  });
}

Deno.test("vxlan: flannel 0.7's data without a VNI is accepted, and keys in any case", () => {
  const old = lease(2, { backendData: { vtepmac: macOf(2) } });
  const nothing = lease(3, { backendData: { VNI: null, VtepMAC: macOf(3) } });
  const { peers, refused } = vxlan.plan(view([old, nothing]), host());
  assert.deepEqual([peers.length, refused], [2, []]);
});

Deno.test("vxlan: a lease makes the same objects wherever the plan is looked at from", () => {
  const seen = view([2, 3]);
  const here = vxlan.plan(seen, host()).objects;
  const there = vxlan.plan(seen, host({ publicIp: "192.0.2.200" })).objects;
  const shared = there.filter((object) => here.includes(object));
  assert.equal(shared.length, 8, "what others say of a lease is read once");
});

Deno.test("vxlan: a lease that stays makes the same objects, and others when this host or its network is another", () => {
  const seen = view([2, 3]);
  const first = vxlan.plan(seen, host());
  const again = vxlan.plan({ ...seen, peers: [seen.peers[0]!, lease(4)] }, host());
  const kept = again.objects.filter((object) => first.objects.includes(object));
  assert.deepEqual(kept.map(({ kind }) => kind), ["nexthop", "fdb", "neighbour", "route"]);
  const moved = vxlan.plan(seen, host({ publicIp: "192.0.2.2" }));
  assert.deepEqual(moved.refused.map(({ code }) => code), ["duplicate-endpoint"]);
  const other = vxlan.plan({ ...seen, network: config({ VNI: 7 }) }, host());
  assert.deepEqual(other.refused.map(({ code }) => code), ["vni-mismatch", "vni-mismatch"]);
  const renamed = seen.peers.map((peer) => ({ ...peer, backendData: { VtepMAC: macOf(peer.revision) } }));
  const devices = [1, 7].map((VNI) =>
    vxlan.plan({ ...seen, peers: renamed, network: config({ VNI }) }, host()).objects.map((object) =>
      "link" in object ? object.link : object.kind
    ).at(-1)
  );
  assert.deepEqual(devices, ["flan.1", "flan.7"]);
});

Deno.test("vxlan: an IPv6 network has a device of its own, a /128, plain routes and 70 bytes less", () => {
  const { objects } = vxlan.plan(ipv6View(view([2])), ipv6Host());
  const [link, ...rest] = objects;
  assert.ok(link?.kind === "link");
  assert.deepEqual([link.name, link.mtu, link.vxlan?.local, link.mac], [
    "flan-v6.1",
    1430,
    "2001:db8::1",
    mac6Of(1),
  ]);
  assert.deepEqual(rest.map(describe), [
    "sysctl net/ipv6/conf/flan-v6.1/disable_ipv6=0",
    "sysctl net/ipv6/conf/flan-v6.1/accept_ra=0",
    "address fd00:5:0:1::/128 dev flan-v6.1",
    `FDB entry ${mac6Of(2)} dst 2001:db8::2 dev flan-v6.1`,
    `neighbour fe80:5:0:2:: lladdr ${mac6Of(2)} dev flan-v6.1`,
    "route fd00:5:0:2::/64 via fe80:5:0:2:: dev flan-v6.1",
  ]);
});

Deno.test("vxlan: a device of IPv6 has at least the MTU that IPv6 needs, or none", () => {
  const narrow = { ...ipv6Host().underlay, mtu: 1349 };
  const network = ipv6View(view([])).network;
  assert.throws(() => vxlan.mtu(network, ipv6Host({ underlay: { ...host().underlay, mtu: 1349 } })), {
    code: "invalid",
    message: /would have 1279, and 1280 is needed/,
  });
  const [link] = vxlan.plan(ipv6View(view([])), { ...ipv6Host(), underlay: narrow }).objects;
  assert.equal(link?.kind === "link" && link.mtu, 1280);
});

Deno.test("vxlan: leases of the other family are refused, and so are endpoints of the other family", () => {
  const six = ipv6View(view([2, 3]));
  const peers = [six.peers[0]!, lease(3), { ...six.peers[1]!, publicIp: "192.0.2.3" }];
  const { refused, peers: planned } = vxlan.plan({ ...six, peers }, ipv6Host());
  assert.equal(planned.length, 1);
  assert.deepEqual(refused.map(({ code, reason }) => [code, reason]), [
    ["bad-subnet", '"10.5.3.0/24" is not an IPv6 subnet'],
    ["bad-endpoint", 'PublicIPv6 "192.0.2.3" cannot be a host\'s IPv6 address'],
  ]);
});
