/** The vxlan backend's direct routing: who gets the plain route, and what of the tunnel stays. */
import assert from "node:assert/strict";
import type { Host, Plan } from "../../backends/backend.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { keyOf } from "../../kernel/state.ts";
import { config, host, lease, view } from "../lib/overlay.ts";

const options = { DirectRouting: true };
const far = lease(3, { publicIp: "198.51.100.3" });

/** This host with these prefixes on its link. */
const linked = (...onLink: string[]): Host => host({ underlay: { ...host().underlay, onLink } });

/** Gateway and link of the route to each peer's subnet, with its way. */
function ways({ objects, peers }: Plan): string[] {
  return peers.map(({ lease: { subnet }, way }) => {
    const route = objects.find((one) => one.kind === "route" && one.destination === subnet);
    return route?.kind === "route" ? `${way} ${route.gateway} ${route.link} ${route.nexthop}` : way;
  });
}

Deno.test("direct routing: a peer on the link gets one plain route, one behind a gateway the tunnel", () => {
  const plan = vxlan.plan(view([2, far], options), linked("192.0.2.0/24"));
  assert.deepEqual(ways(plan), [
    "direct 192.0.2.2 eth0 0",
    `vxlan 10.5.3.0 flan.1 ${0x0a050300}`,
  ]);
  assert.deepEqual(plan.peers[0]?.keys, ["route 10.5.2.0/24 metric 0"]);
  const kinds = Object.groupBy(plan.objects, ({ kind }) => kind);
  assert.deepEqual([kinds.fdb?.length, kinds.neighbour?.length, kinds.nexthop?.length], [1, 1, 1]);
  assert.ok(kinds.link !== undefined && kinds.address !== undefined, "others may send by the tunnel");
});

Deno.test("direct routing: it is off unless the network says so", () => {
  assert.deepEqual(ways(vxlan.plan(view([2]), linked("192.0.2.0/24"))), [
    `vxlan 10.5.2.0 flan.1 ${0x0a050200}`,
  ]);
});

Deno.test("direct routing: another underlay decides anew, under the same key", () => {
  const near = vxlan.plan(view([2], options), linked("192.0.2.0/24"));
  const away = vxlan.plan(view([2], options), linked("198.51.100.0/24"));
  assert.deepEqual([near.peers[0]?.way, away.peers[0]?.way], ["direct", "vxlan"]);
  const keys = (plan: Plan) => plan.objects.filter(({ kind }) => kind === "route").map(keyOf);
  assert.deepEqual(keys(near), keys(away), "so that the route is replaced in place");
});

Deno.test("direct routing: the MTU stays the tunnel's, because some peers need it", () => {
  assert.equal(vxlan.mtu(config(options), linked("192.0.2.0/24")), 1450);
});

Deno.test("direct routing: a peer that vxlan refuses gets no plain route either", () => {
  const other = lease(2, { backendData: null });
  const { objects, refused } = vxlan.plan(view([other], options), linked("192.0.2.0/24"));
  assert.deepEqual([objects.map(({ kind }) => kind), refused[0]?.code], [
    ["link", "address"],
    "bad-backend-data",
  ]);
});

Deno.test("direct routing: beside on-demand entries, peers on the link are not asked for", () => {
  const wanted = new Set(["10.5.2.7", "10.5.3.7"]);
  const plan = vxlan.plan(
    view([2, far], { ...options, Mode: "on-demand" }),
    { ...linked("192.0.2.0/24"), wanted },
  );
  assert.deepEqual(plan.peers.map(({ way }) => way), ["direct", "on-demand"]);
  const asked = plan.objects.flatMap((one) => one.kind === "neighbour" ? [one.ip] : []);
  assert.deepEqual(asked, ["10.5.3.7"]);
});
