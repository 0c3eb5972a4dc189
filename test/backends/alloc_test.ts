/** What the alloc backend plans, announces and refuses. */
import assert from "node:assert/strict";
import { alloc } from "../../backends/alloc.ts";
import type { View } from "../../lease/view.ts";
import { purePlans } from "../conformance/backend_plans.ts";
import { config, host, lease, udpLease, view } from "../lib/overlay.ts";

const seen = (peers: readonly number[]): View => ({ ...view(peers), network: config({}, "alloc") });

purePlans({ name: "alloc", backend: alloc, host: host({ mac: "" }), view: seen });

Deno.test("alloc: every lease with an address is a peer, and nothing is made for any", () => {
  const peers = [lease(2), udpLease(3), lease(4, { publicIp: "224.0.0.1" })];
  const plan = alloc.plan({ ...seen([]), peers }, host());
  assert.deepEqual(plan.objects, []);
  assert.deepEqual(plan.peers, peers.slice(0, 2).map((one) => ({ lease: one, way: "alloc", keys: [] })));
  assert.deepEqual(plan.refused.map(({ code }) => code), ["bad-endpoint"]);
});

Deno.test("alloc: the MTU is the underlay's, there is no device, and the lease says what it is", () => {
  const network = config({}, "alloc");
  assert.deepEqual([alloc.mtu(network, host()), alloc.devices(network), alloc.hasMac], [1500, [], false]);
  assert.deepEqual(alloc.announce(network, host()), { backendType: "alloc", backendData: undefined });
});

Deno.test("alloc: a host behind NAT may have a subnet too, and options that it does not have are noted", () => {
  const network = config({ Port: 1 }, "alloc");
  alloc.requireHost(network, host({ publicIp: "203.0.113.7" }));
  assert.equal(alloc.check(network).length, 1);
});
