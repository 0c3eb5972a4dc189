/** Which backend a host is judged by that has not followed its network to another one. */
import assert from "node:assert/strict";
import { heldNetwork } from "../../agent/held_network.ts";
import { networkIn } from "../../agent/network.ts";
import { forgetPlanes } from "../../agent/planes.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import { unreachableIn } from "../../cmd/unreachable.ts";
import type { Json } from "../../net/json.ts";
import { type TestHost, TestNetwork, vxlanNetwork } from "../lib/agents.ts";

async function stored(network: TestNetwork) {
  const snapshot = await network.store.read();
  return { snapshot, ...networkIn(snapshot, network.store.url) };
}

async function heldBy(network: TestNetwork, { options: { stateDir } }: TestHost): Promise<NetworkConfig> {
  return heldNetwork(await stored(network), stateDir).config;
}

const ipip = (...FormerBackends: Json[]) => ({ ...vxlanNetwork, Backend: { Type: "ipip" }, FormerBackends });

Deno.test("a host that cannot follow is judged by the backend that it stayed on, with its options, until it can", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend: { Type: "vxlan", VNI: 7 } });
  const [left, moved] = [await network.joined(1), await network.joined(2)];
  assert.equal((await heldBy(network, left)).backendType, "vxlan");
  left.kernel.lacks.add("ipip");
  await network.configure(ipip());
  const { backendType, backendOptions } = await heldBy(network, left);
  assert.deepEqual([backendType, backendOptions], ["vxlan", { VNI: 7 }]);
  assert.equal((await heldBy(network, moved)).backendType, "ipip");
  for (const { options } of [left, moved]) {
    assert.deepEqual(
      unreachableIn(await stored(network), options.stateDir),
      [],
      "nobody's lease is to be revoked",
    );
  }
  left.kernel.lacks.clear();
  await network.configure({ ...ipip(), SubnetLen: 24 });
  assert.equal((await heldBy(network, left)).backendType, "ipip");
});

Deno.test("who may not see what the host had takes it from the network's config and the host's lease", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend: { Type: "vxlan", VNI: 7 } });
  const [left, moved] = [await network.joined(1), await network.joined(2)];
  left.kernel.lacks.add("ipip");
  await network.configure(ipip({ Type: "udp" }, { Type: "vxlan", VNI: 7 }));
  for (const { options } of [left, moved]) forgetPlanes(options.stateDir);
  assert.deepEqual((await heldBy(network, left)).backendOptions, { VNI: 7 });
  assert.equal((await heldBy(network, moved)).backendType, "ipip");
});

Deno.test("a host without a lease is judged by the network as its config says, whatever it had", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.kernel.lacks.add("ipip");
  await network.configure(ipip());
  const { snapshot, ...rest } = await stored(network);
  const { stateDir } = host.options;
  assert.equal(
    heldNetwork({ ...rest, snapshot: { ...snapshot, records: [] } }, stateDir).config.backendType,
    "ipip",
  );
});
