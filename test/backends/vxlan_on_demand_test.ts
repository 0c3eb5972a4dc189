/** The vxlan backend's on-demand mode: entries only for what the kernel asks for. */
import assert from "node:assert/strict";
import { vxlan } from "../../backends/vxlan.ts";
import { keyOf } from "../../kernel/state.ts";
import { host, lease, macOf, view } from "../lib/overlay.ts";
import { ipv6Host, ipv6View, mac6Of } from "../lib/stacks.ts";

const options = { Mode: "on-demand" };

Deno.test("on-demand: nothing asked for means one route for the network and no entry for any peer", () => {
  const { objects, peers } = vxlan.plan(view([2, 3], options), host());
  assert.deepEqual(objects.map(keyOf), [
    "link flan.1",
    "sysctl net/ipv4/neigh/flan.1/app_solicit",
    "sysctl net/ipv4/neigh/flan.1/mcast_solicit",
    "sysctl net/ipv4/neigh/flan.1/ucast_solicit",
    "address 10.5.1.0/32 dev flan.1",
    "route 10.5.0.0/16 metric 0",
  ]);
  const route = objects.at(-1);
  assert.ok(route?.kind === "route");
  assert.deepEqual([route.link, route.gateway, route.nexthop, route.protocol], ["flan.1", "", 0, 113]);
  assert.deepEqual(peers.map((peer) => peer.keys), [["route 10.5.0.0/16 metric 0"], [
    "route 10.5.0.0/16 metric 0",
  ]]);
});

Deno.test("on-demand: the kernel asks user space three times and sends no ARP", () => {
  const { objects } = vxlan.plan(view([], options), host());
  const values = objects.flatMap((object) => object.kind === "sysctl" ? [object.value] : []);
  assert.deepEqual(values, ["3", "0", "0"]);
});

Deno.test("on-demand: each wanted address gets its peer's MAC, each peer one FDB entry", () => {
  const wanted = new Set(["10.5.3.9", "10.5.2.200", "10.5.2.7"]);
  const { objects, peers } = vxlan.plan(view([2, 3, 4], options), host({ wanted }));
  assert.deepEqual(objects.filter((object) => object.kind === "fdb"), [
    { kind: "fdb", link: "flan.1", mac: macOf(2), remote: "192.0.2.2" },
    { kind: "fdb", link: "flan.1", mac: macOf(3), remote: "192.0.2.3" },
  ]);
  const entry = { kind: "neighbour", link: "flan.1", state: "reachable", protocol: 113 };
  assert.deepEqual(objects.filter((object) => object.kind === "neighbour"), [
    { ...entry, ip: "10.5.2.7", mac: macOf(2) },
    { ...entry, ip: "10.5.2.200", mac: macOf(2) },
    { ...entry, ip: "10.5.3.9", mac: macOf(3) },
  ]);
  assert.deepEqual(peers.map((peer) => peer.keys.length), [4, 3, 1]);
});

Deno.test("on-demand: what lies in no peer's subnet, and what is no address, is left unanswered", () => {
  const wanted = new Set(["10.5.1.7", "10.5.9.1", "8.8.8.8", "fd00::1", "nonsense", "10.5.2.00"]);
  const { objects } = vxlan.plan(view([2], options), host({ wanted }));
  assert.deepEqual(objects.filter(({ kind }) => kind === "neighbour" || kind === "fdb"), []);
});

Deno.test("on-demand: subnets of different lengths are told apart", () => {
  const wide = lease(8, { subnet: "10.5.8.0/22" });
  const narrow = lease(2, { subnet: "10.5.2.128/25" });
  const wanted = new Set(["10.5.11.255", "10.5.2.127", "10.5.2.128"]);
  const { objects } = vxlan.plan(view([wide, narrow], options), host({ wanted }));
  const found = objects.flatMap((object) => object.kind === "neighbour" ? [[object.ip, object.mac]] : []);
  assert.deepEqual(found, [["10.5.11.255", macOf(8)], ["10.5.2.128", macOf(2)]]);
});

Deno.test("on-demand: where subnets lie in one another the longest prefix answers, as with routes", () => {
  const leases = [lease(8, { subnet: "10.5.8.0/22" }), lease(9)];
  for (const peers of [leases, leases.toReversed()]) {
    const { objects } = vxlan.plan(view(peers, options), host({ wanted: new Set(["10.5.9.1"]) }));
    const found = objects.flatMap((object) => object.kind === "neighbour" ? [object.mac] : []);
    assert.deepEqual(found, [macOf(9)]);
  }
});

Deno.test("on-demand: an address of IPv6 is answered from the subnet that holds it, and no other one", () => {
  const wanted = new Set(["fd00:5:0:2::7", "fd00:5:0:9::1", "10.5.2.7", "fe80::1"]);
  const { objects } = vxlan.plan(ipv6View(view([2, 3], options)), ipv6Host({ wanted }));
  const found = objects.flatMap((object) => object.kind === "neighbour" ? [[object.ip, object.mac]] : []);
  assert.deepEqual(found, [["fd00:5:0:2::7", mac6Of(2)]]);
  assert.deepEqual(objects.flatMap((one) => one.kind === "route" ? [one.destination] : []), ["fd00:5::/48"]);
  const solicit = objects.flatMap((one) => one.kind === "sysctl" && /neigh/.test(one.name) ? [one.name] : []);
  assert.equal(solicit[0], "net/ipv6/neigh/flan-v6.1/app_solicit");
});
