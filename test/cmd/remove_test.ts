/** What `flan down` takes from the kernel, and what it says of it. */
import assert from "node:assert/strict";
import { readHostState } from "../../agent/host_state.ts";
import { removeFromKernel } from "../../cmd/remove.ts";
import { type TestHost, TestNetwork, udpNetwork, udpPeer } from "../lib/agents.ts";

/** Who `flan down` finds this host to be. */
function selfOf({ options }: TestHost, device: string) {
  return { ...readHostState(options.stateDir)!, device };
}

async function removed(host: TestHost, device: string): Promise<readonly string[]> {
  await host.stop();
  const removal = await removeFromKernel(host.kernel, selfOf(host, device));
  assert.deepEqual(removal.left, []);
  assert.deepEqual(host.keys(), []);
  return removal.removed;
}

Deno.test("remove: the proxy of a udp network is stopped by name, and its routes are counted", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  for (const n of [2, 3, 4]) await network.peer(n, udpPeer);
  assert.deepEqual(await removed(host, "flan0"), [
    "removed link flan0",
    "stopped the proxy of flan0 at 192.0.2.1:8285",
    "removed 1 route, 3 proxy routes",
  ]);
});

Deno.test("remove: one peer takes one proxy route, and a proxy whose device is gone is stopped, too", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await network.peer(2, udpPeer);
  await host.stop();
  host.kernel.stack.delete(host.kernel.stack.link("flan0")!);
  assert.deepEqual(await removed(host, "flan0"), [
    "stopped the proxy of flan0 at 192.0.2.1:8285",
    "removed 1 proxy route",
  ]);
});

Deno.test("remove: a vxlan network says what it always did", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  for (const n of [2, 3]) await network.peer(n);
  assert.deepEqual(await removed(host, "flan.1"), [
    "removed link flan.1",
    "removed 2 routes, 2 neighbours, 2 FDB entries, 2 nexthops",
  ]);
});

Deno.test("remove: a proxy that does not stop is what went wrong", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await host.stop();
  host.kernel.failNext("delete", "ETIMEDOUT", { kind: "proxy", times: 9 });
  await assert.rejects(removeFromKernel(host.kernel, selfOf(host, "flan0")), {
    message: /^Cannot delete proxy of flan0 at 192\.0\.2\.1:8285: /,
  });
});

Deno.test("remove: a TUN device without flan's alias is left, and named where this host had it", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await host.stop();
  const link = host.kernel.stack.link("flan0")!;
  host.kernel.stack.replace({ ...link, alias: "" });
  const { left } = await removeFromKernel(host.kernel, selfOf(host, "flan0"));
  assert.deepEqual(left, ["flan0"]);
  assert.deepEqual((await removeFromKernel(host.kernel, selfOf(host, "flan.1"))).left, []);
});

Deno.test("remove: what the kernel does not show is asked for by this host's mark, and told like the rest", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  await host.stop();
  const self = selfOf(host, "flan.1");
  const unseen = { kind: "masquerade", alias: `flan ${self.node}`, rules: [] } as const;
  const { removed } = await removeFromKernel(host.kernel, self, {
    removeUnseen: ({ alias }) => Promise.resolve(alias === unseen.alias ? [unseen] : []),
  });
  assert.deepEqual(removed, ["removed link flan.1", "removed masquerade rules in table ip flan"]);
});
