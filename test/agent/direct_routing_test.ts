/** An agent whose peers are on the link at one time and behind a gateway at another. */
import assert from "node:assert/strict";
import type { Route } from "../../kernel/state.ts";
import { defaultRoute, type TestHost, TestNetwork } from "../lib/agents.ts";

const config = { Network: "10.5.0.0/16", Backend: { Type: "vxlan", DirectRouting: true } };
const behind: Route = { ...defaultRoute, destination: "192.0.2.2/32", gateway: "192.0.2.254" };

function wayTo(host: TestHost, subnet: string): string {
  const route = host.kernel.stack.objects.get(`route ${subnet} metric 0`);
  return route?.kind === "route"
    ? `${route.nexthop === 0 ? route.gateway : "nexthop"} ${route.link}`
    : "none";
}

Deno.test("direct routing: a peer changes over with the routes of the underlay, and back, without a gap", async () => {
  await using network = await TestNetwork.start(config);
  const { subnet } = await network.peer(2);
  const host = await network.joined(1);
  assert.equal(wayTo(host, subnet), "192.0.2.2 eth0");
  const near = host.keys();
  host.kernel.attempted.length = 0;
  for (const [deed, way] of [["add", "nexthop flan.1"], ["delete", "192.0.2.2 eth0"]] as const) {
    host.kernel.stack[deed](behind, 77);
    await network.clock.advance(1900);
    assert.deepEqual([wayTo(host, subnet), host.codes], [way, []]);
  }
  const routes = host.kernel.attempted.filter(({ object }) => object.kind === "route").map(({ verb }) =>
    verb
  );
  assert.deepEqual(routes, ["replace", "replace"], "there is a route at every moment");
  host.kernel.stack.delete(behind);
  assert.deepEqual(host.keys(), near, "nothing of the tunnel's entries is left");
  assert.deepEqual(host.lines("repaired"), []);
});

Deno.test("direct routing: turned on and off in a running network, all peers on the link change over", async () => {
  await using network = await TestNetwork.start(config);
  const { subnet } = await network.peer(2);
  const host = await network.joined(1);
  await network.configure({ ...config, Backend: { Type: "vxlan" } });
  assert.deepEqual([wayTo(host, subnet), host.codes], ["nexthop flan.1", []]);
  await network.configure(config);
  assert.deepEqual([wayTo(host, subnet), host.codes], ["192.0.2.2 eth0", []]);
  assert.match(host.subnetEnv, /^FLANNEL_MTU=1450$/m);
});
