/** The agent in a network without a data plane: a lease and subnet.env, and no hand laid on the kernel. */
import assert from "node:assert/strict";
import { TestNetwork, udpPeer, vxlanNetwork } from "../lib/agents.ts";
import { contents } from "../lib/reconciling.ts";

const allocNetwork = { Network: "10.5.0.0/16", Backend: { Type: "alloc" } };

Deno.test("alloc: a host joins and knows its peers, and the kernel stays as it was", async () => {
  await using network = await TestNetwork.start(allocNetwork);
  const host = network.host(1);
  const before = contents(host.kernel);
  await host.join();
  await host.run();
  await network.peer(2, udpPeer);
  await network.clock.advance(60_000);
  assert.deepEqual([contents(host.kernel), host.kernel.attempted, host.codes], [before, [], []]);
  assert.deepEqual(host.agent.state.plan.peers.map(({ way }) => way), ["alloc"]);
  const gateway = host.subnet!.replace("0/24", "1/24");
  assert.equal(
    host.subnetEnv,
    `FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=${gateway}\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n`,
  );
});

Deno.test("alloc: a network that turns to it loses its tunnels, and keeps its subnets", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const [one, two] = [await network.joined(1), await network.joined(2)];
  const subnets = [one.subnet, two.subnet];
  await network.configure(allocNetwork);
  assert.deepEqual([one.keys(), two.keys()], [[], []]);
  assert.deepEqual([one.subnet, two.subnet], subnets);
  assert.deepEqual(one.agent.state.plan.peers.map(({ lease }) => lease.subnet), [two.subnet]);
});
