import assert from "node:assert/strict";
import { halfOf } from "../../lease/half.ts";
import type { Lease } from "../../lease/lease.ts";
import { type NetworkConfig, parseNetworkConfig } from "../../lease/network.ts";
import { configOf, familiesOf, viewOf } from "../../lease/stack.ts";
import type { View } from "../../lease/view.ts";
import { parseCidr } from "../../net/ip.ts";

const ipv4 = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan", VNI: 7 } });
const range6 = {
  network: parseCidr("fd00:5::/48"),
  subnetLength: 64,
  subnetMin: parseCidr("fd00:5:0:1::/64"),
  subnetMax: parseCidr("fd00:5:0:ffff::/64"),
};
const ipv6: NetworkConfig = { ...ipv4, ...range6 };
const dual: NetworkConfig = { ...ipv4, ipv6: range6 };

const both: Lease = {
  subnet: "10.5.1.0/24",
  publicIp: "192.0.2.1",
  backendType: "vxlan",
  backendData: { VNI: 7, VtepMAC: "02:00:00:00:00:01" },
  subnet6: "fd00:5:0:1::/64",
  publicIp6: "2001:db8::1",
  backendV6Data: { VNI: 7, VtepMAC: "02:00:00:00:00:61" },
  node: "11111111111111aa",
  expires: 1e12,
  revision: 3,
};
const { subnet6: _subnet6, publicIp6: _publicIp6, backendV6Data: _data, ...onlyFirst } = {
  ...both,
  subnet: "10.5.2.0/24",
};
const { publicIp6: _address, ...unreachable } = { ...both, subnet: "10.5.3.0/24" };
const view: View = {
  network: dual,
  own: both,
  peers: [onlyFirst, unreachable],
  refused: [{ subnet: "10.5.9.0/24", code: "overlap", reason: "it overlaps" }],
};

Deno.test("a network has its own family, and a dual-stack one has IPv4 first", () => {
  assert.deepEqual([ipv4, ipv6, dual].map(familiesOf), [[4], [6], [4, 6]]);
});

Deno.test("a network of one family is its own projection", () => {
  assert.equal(configOf(ipv4, 4), ipv4);
  assert.equal(configOf(ipv6, 6), ipv6);
  const single = { ...view, network: ipv4 };
  assert.equal(viewOf(single, 4), single);
  assert.throws(() => configOf(ipv4, 6), RangeError);
  assert.throws(() => viewOf({ ...view, network: ipv6 }, 4), RangeError);
});

Deno.test("a half of a dual-stack network is a network of one family with the same backend, the same one each time", () => {
  assert.deepEqual(configOf(dual, 4), ipv4);
  assert.deepEqual(configOf(dual, 6), ipv6);
  assert.equal(configOf(dual, 4), configOf(dual, 4));
  assert.equal(configOf(dual, 6), configOf(dual, 6));
});

Deno.test("a half of a lease stands in the places of the first family, with nothing of the other one", () => {
  const { node, expires, revision, backendType } = both;
  const common = { node, expires, revision, backendType };
  assert.deepEqual(halfOf(both, 4), {
    ...common,
    subnet: "10.5.1.0/24",
    publicIp: "192.0.2.1",
    backendData: { VNI: 7, VtepMAC: "02:00:00:00:00:01" },
  });
  assert.deepEqual(halfOf(both, 6), {
    ...common,
    subnet: "fd00:5:0:1::/64",
    publicIp: "2001:db8::1",
    backendData: { VNI: 7, VtepMAC: "02:00:00:00:00:61" },
  });
  assert.equal(halfOf(both, 6), halfOf(both, 6));
});

Deno.test("the view of a family holds the leases that have that half and can be reached by it", () => {
  const first = viewOf(view, 4);
  assert.deepEqual(first.network, ipv4);
  assert.deepEqual([first.own, ...first.peers].map((lease) => lease?.subnet), [
    "10.5.1.0/24",
    "10.5.2.0/24",
    "10.5.3.0/24",
  ]);
  assert.ok([first.own!, ...first.peers].every((lease) => !("subnet6" in lease)));
  const second = viewOf(view, 6);
  assert.deepEqual(second.network, ipv6);
  assert.equal(second.own?.subnet, "fd00:5:0:1::/64");
  assert.deepEqual(second.peers, []);
});

Deno.test("what the view refuses is told once, and a host without the half has no lease of that family", () => {
  assert.deepEqual([viewOf(view, 4), viewOf(view, 6)].map(({ refused }) => refused.length), [1, 0]);
  assert.equal(viewOf({ ...view, own: onlyFirst }, 6).own, undefined);
});
