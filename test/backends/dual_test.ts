/** One backend for two families: each by itself, put together. */
import assert from "node:assert/strict";
import { alloc } from "../../backends/alloc.ts";
import { dualStack } from "../../backends/dual.ts";
import { hostGw } from "../../backends/host_gw.ts";
import { udp } from "../../backends/udp.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import { config, host, hostGwView, lease, macOf, udpHost, udpView, view } from "../lib/overlay.ts";
import { dualHost, dualLease, dualView, ipv6Host, ipv6View, mac6Of, range6 } from "../lib/stacks.ts";

const both = dualStack(vxlan);
const network = { ...config(), ipv6: range6 };

Deno.test("dual stack: the plan is that of either family, in one order, and a peer needs the keys of both", () => {
  const seen = dualView(view([2, 3]));
  const plan = both.plan(seen, dualHost());
  const four = vxlan.plan(view([2, 3]), host());
  const six = vxlan.plan(ipv6View(view([2, 3])), ipv6Host());
  const keys = plan.objects.map(keyOf);
  assert.deepEqual(keys.toSorted(), [...four.objects, ...six.objects].map(keyOf).sort());
  assert.deepEqual(plan.objects.map(({ kind }) => kind).filter((kind, i, all) => kind !== all[i - 1]), [
    "link",
    "sysctl",
    "address",
    "nexthop",
    "fdb",
    "neighbour",
    "route",
  ]);
  assert.deepEqual(plan.peers.map(({ lease }) => lease), seen.peers);
  assert.deepEqual(plan.peers[0]!.keys, [...four.peers[0]!.keys, ...six.peers[0]!.keys]);
});

Deno.test("dual stack: a network of one family is planned by the backend itself", () => {
  assert.deepEqual(both.plan(view([2]), host()), vxlan.plan(view([2]), host()));
  const seen = ipv6View(view([2]));
  assert.deepEqual(both.plan(seen, ipv6Host()), vxlan.plan(seen, ipv6Host()));
});

Deno.test("dual stack: a peer that lacks one half, or whose half is refused, is reached by the other", () => {
  const seen = dualView(view([2]));
  const lacking = both.plan({ ...seen, peers: [lease(2)] }, dualHost());
  assert.deepEqual([lacking.peers.map(({ keys }) => keys.length), lacking.refused], [[4], []]);
  const bad = { ...dualLease(lease(2)), backendV6Data: { VNI: 1, VtepMAC: "01:00:00:00:00:01" } };
  const { peers, refused } = both.plan({ ...seen, peers: [bad] }, dualHost());
  assert.deepEqual(peers.map(({ keys }) => keys.length), [4]);
  assert.deepEqual(refused.map(({ subnet, code }) => [subnet, code]), [[
    "fd00:5:0:2::/64",
    "bad-backend-data",
  ]]);
});

Deno.test("dual stack: devices, MTU and announcement are those of both families", () => {
  assert.deepEqual(both.devices(network), ["flan.1", "flan-v6.1"]);
  assert.equal(both.mtu(network, dualHost()), 1430);
  assert.deepEqual(both.announce(network, dualHost()), {
    backendType: "vxlan",
    backendData: { VNI: 1, VtepMAC: macOf(1) },
    backendV6Data: { VNI: 1, VtepMAC: mac6Of(1) },
  });
  const links = both.plan(dualView(view([])), dualHost()).objects.flatMap((one) =>
    one.kind === "link" ? [[one.name, one.mtu, one.vxlan?.local]] : []
  );
  assert.deepEqual(links, [["flan.1", 1450, "192.0.2.1"], ["flan-v6.1", 1430, "2001:db8::1"]]);
  assert.equal(dualStack(hostGw).mtu(network, dualHost()), 1500);
  assert.deepEqual(dualStack(alloc).announce(network, dualHost()), {
    backendType: "alloc",
    backendData: undefined,
  });
});

Deno.test("dual stack: a host without an address of the second family cannot join, and one that lost it keeps the first", () => {
  assert.throws(() => both.requireHost(network, host()), {
    code: "invalid",
    message: /it has no IPv6 address/,
  });
  both.requireHost(network, dualHost());
  both.requireHost(config(), host());
  const { objects } = both.plan(dualView(view([2])), host());
  assert.deepEqual(objects.map(keyOf), vxlan.plan(view([2]), host()).objects.map(keyOf));
});

Deno.test("dual stack: host-gw announces the IPv6 address that it has on the link, and no other", () => {
  const gateway = dualStack(hostGw);
  const nat = { ...dualHost(), ipv6: { ...dualHost().ipv6!, publicIp: "2001:db8::77" } };
  assert.throws(() => gateway.requireHost(network, nat), { code: "invalid", message: /2001:db8::77/ });
  const { objects } = gateway.plan(dualView(hostGwView([2])), dualHost({ mac: "" }));
  assert.deepEqual(objects.map((one) => one.kind === "route" && [one.destination, one.gateway, one.metric]), [
    ["10.5.2.0/24", "192.0.2.2", 0],
    ["fd00:5:0:2::/64", "2001:db8::2", 1024],
  ]);
});

Deno.test("udp carries each family by a device and a proxy of its own, over an underlay of that family", () => {
  const carried = (objects: readonly KernelObject[]) =>
    objects.flatMap((one) => {
      if (one.kind === "link") return [[one.name, one.mtu]];
      if (one.kind === "proxy") return [[one.link, one.address, one.source, one.subnet]];
      if (one.kind === "proxy-route") return [[one.link, one.destination, one.remote]];
      return one.kind === "route" ? [[one.link, one.destination, one.metric]] : [];
    });
  const six = udp.plan(ipv6View(udpView([2])), ipv6Host({ mac: "" }));
  const expected = [
    ["flan6-0", 1452],
    ["flan6-0", "2001:db8::1", "fd00:5:0:1::", "fd00:5:0:1::/64"],
    ["flan6-0", "fd00:5:0:2::/64", "2001:db8::2"],
    ["flan6-0", "fd00:5::/48", 1024],
  ];
  assert.deepEqual(carried(six.objects), expected);
  const dual = dualStack(udp).plan(dualView(udpView([2])), dualHost({ mac: "" }));
  const four = udp.plan(udpView([2]), udpHost());
  assert.deepEqual(
    carried(dual.objects).map(String).sort(),
    [...carried(four.objects), ...expected].map(String).sort(),
  );
  assert.deepEqual(dual.peers.map(({ keys }) => keys), [[...four.peers[0]!.keys, ...six.peers[0]!.keys]]);
  assert.deepEqual(dualStack(udp).devices(network), ["flan0", "flan6-0"]);
});
