/** What the ipip backend plans: flannel's device and routes, for IPv4 alone. */
import assert from "node:assert/strict";
import { ipip } from "../../backends/ipip.ts";
import { parseCidr } from "../../net/ip.ts";
import { config, host, lease, seenAs } from "../lib/overlay.ts";

const view = seenAs("ipip");
const bare = host({ mac: "" });

Deno.test("ipip: one device from the underlay's address to anybody, and a route to each peer's address on it", () => {
  const { objects, peers } = ipip.plan(view([2]), bare);
  assert.deepEqual(objects, [
    {
      kind: "link",
      name: "flan.ipip",
      type: "ipip",
      alias: "flan 3f2a",
      mac: "",
      mtu: 1480,
      up: true,
      ipip: { local: "192.0.2.1", remote: "" },
    },
    { kind: "address", link: "flan.ipip", address: "10.5.1.0/32" },
    {
      kind: "route",
      destination: "10.5.2.0/24",
      metric: 0,
      link: "flan.ipip",
      gateway: "192.0.2.2",
      onlink: true,
      nexthop: 0,
      type: "unicast",
      protocol: 113,
    },
  ]);
  assert.deepEqual(peers.map(({ way, keys }) => [way, keys]), [["ipip", ["route 10.5.2.0/24 metric 0"]]]);
});

Deno.test("ipip: it announces its name and nothing else, as flannel does", () => {
  assert.deepEqual(ipip.announce(config({}, "ipip"), bare), { backendType: "ipip", backendData: undefined });
});

Deno.test("ipip: the device takes a narrower MTU, and refuses one that the underlay cannot carry", () => {
  assert.equal(ipip.mtu(config({}, "ipip"), { ...bare, mtu: 1400 }), 1400);
  assert.throws(() => ipip.mtu(config({}, "ipip"), { ...bare, mtu: 1481 }), {
    code: "invalid",
    message: "Cannot use MTU 1481: 576 to 1480 fits underlay eth0",
  });
  assert.equal(ipip.plan(view([2]), { ...bare, mtu: 9000 }).objects.length, 3, "a running network goes on");
});

Deno.test("ipip: with DirectRouting peers on the link get a plain route, the others the tunnel", () => {
  const near = host({ mac: "", underlay: { ...bare.underlay, onLink: ["192.0.2.0/30"] } });
  const direct = seenAs("ipip", { options: { DirectRouting: true } });
  const { objects, peers } = ipip.plan(direct([2, 4]), near);
  const routes = objects.flatMap((one) => one.kind === "route" ? [[one.link, one.gateway, one.onlink]] : []);
  assert.deepEqual(routes, [["flan.ipip", "192.0.2.4", true], ["eth0", "192.0.2.2", false]]);
  assert.deepEqual(peers.map(({ way }) => way), ["direct", "ipip"]);
});

Deno.test("ipip: a host of another backend is no peer", () => {
  const { peers, refused } = ipip.plan({ ...view([2]), peers: [lease(3)] }, bare);
  assert.deepEqual([peers, refused], [[], [
    { subnet: "10.5.3.0/24", code: "other-backend", reason: 'its backend is "vxlan", not "ipip"' },
  ]]);
});

Deno.test("ipip: a network with IPv6 in it is refused with its prefix, and planned as nothing", () => {
  const range = {
    network: parseCidr("fd00:5::/48"),
    subnetLength: 64,
    subnetMin: parseCidr("fd00:5:0:1::/64"),
    subnetMax: parseCidr("fd00:5:0:ffff::/64"),
  };
  for (const network of [{ ...config({}, "ipip"), ipv6: range }, { ...config({}, "ipip"), ...range }]) {
    assert.throws(() => ipip.check(network), {
      code: "invalid",
      message: "Cannot use backend ipip: it carries IPv4 only, and the network has fd00:5::/48",
    });
    const plan = ipip.plan({ ...view([2]), network }, bare);
    assert.deepEqual([plan.objects, plan.refused.map(({ code }) => code)], [[], [
      "bad-config",
      "bad-config",
    ]]);
  }
});
