/** Whoever only looks at a network that encrypts: a host without a lease has its barrier if it has joined, and nothing else. */
import assert from "node:assert/strict";
import { observeHost } from "../../agent/host.ts";
import { networkIn } from "../../agent/network.ts";
import { compare } from "../../cmd/observe.ts";
import { TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { ground } from "../lib/grounds.ts";

Deno.test("barrier: without a lease it is planned on a host that has joined, and on no other", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend: { Type: "wireguard" } });
  const host = await network.joined(1);
  await host.stop();
  await network.remove(host.subnet!);
  const snapshot = await network.store.read();
  const known = { snapshot, ...networkIn(snapshot, network.store.url) };
  const { kernel } = host;
  const objects = await kernel.dump({ links: known.devices, sysctls: [] });
  const facts = await observeHost(kernel, { ...known, options: host.options, objects, clock: host.clock });
  const changes = async (isJoined: boolean) => {
    const seen = { network: known, host: facts, settings: host.options, objects, isJoined };
    const { plan, drift } = await compare({ ...ground(), kernel }, seen);
    const left = drift.changes.map(({ verb, object }) => `${verb} ${object.kind}`);
    return { planned: plan.objects.map(({ kind }) => kind), left };
  };
  assert.deepEqual(await changes(true), { planned: ["route"], left: ["delete link"] });
  assert.deepEqual(await changes(false), { planned: [], left: ["delete link", "delete route"] });
});
