/** Whoever only looks at a network that encrypts: a host without a lease has its barrier if it has joined, and nothing else. */
import assert from "node:assert/strict";
import { observeHost } from "../../agent/host.ts";
import { networkIn } from "../../agent/network.ts";
import { raiseBarriers } from "../../agent/barriers.ts";
import { compare, observeIn } from "../../cmd/observe.ts";
import { TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { contextOf, ground } from "../lib/grounds.ts";

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

Deno.test("barrier: what a host has raised after a boot is as planned before it has joined again, and else is not", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend: { Type: "wireguard" } });
  const first = await network.joined(1);
  await first.stop();
  await network.remove(first.subnet!);
  const { kernel, options, log } = network.host(1);
  const { store } = network;
  await raiseBarriers({ kernel, store }, { stateDir: options.stateDir, log });
  const changes = async (stateDir: string) => {
    // No directory of a host that has joined since it booted.
    const context = contextOf({ ...options, stateDir, runDir: `${options.stateDir}/run`, store: store.url });
    const { drift } = await observeIn(context, { store, looked: { ...ground(), kernel } });
    return drift.changes.map(({ verb, object }) => `${verb} ${object.kind}`);
  };
  assert.deepEqual(await changes(options.stateDir), []);
  Deno.removeSync(`${options.stateDir}/planes.json`);
  assert.deepEqual(await changes(options.stateDir), ["delete route"]);
});
