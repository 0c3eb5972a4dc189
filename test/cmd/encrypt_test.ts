/** `--encrypt`: a network in clear is neither started nor joined, and a running host does not follow one. */
import assert from "node:assert/strict";
import { observeHost } from "../../agent/host.ts";
import { writeJoined } from "../../agent/joined.ts";
import { networkIn } from "../../agent/network.ts";
import { devicesOf } from "../../agent/planes.ts";
import { compare } from "../../cmd/observe.ts";
import { startNetwork } from "../../cmd/start_network.ts";
import { foresee } from "../../cmd/dry_run.ts";
import { display, type Follows, loadSettings } from "../../cmd/config.ts";
import { ensureNetwork } from "../../lease/manager.ts";
import { type TestHost, TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { contextOf, ground } from "../lib/grounds.ts";

const clear = {
  code: "invalid",
  message: "Cannot use backend vxlan with --encrypt: it carries packets in clear",
};
const how = { allowOverlap: false, once: false };

Deno.test("encrypt: a network that is started encrypts, unless its backend is named", async () => {
  const place = ground();
  await startNetwork(contextOf({ encrypt: true }), place, how);
  assert.deepEqual((await place.store.read()).config?.value, {
    Network: "10.5.0.0/16",
    Backend: { Type: "wireguard" },
  });
  const other = ground();
  await assert.rejects(startNetwork(contextOf({ encrypt: true, backend: "vxlan" }), other, how), clear);
  assert.equal((await other.store.read()).config, undefined);
});

Deno.test("encrypt: a host without WireGuard starts no other network in its place", async () => {
  const place = ground();
  place.kernel.lacks.add("wireguard");
  await assert.rejects(startNetwork(contextOf({ encrypt: true }), place, how), { code: "unsupported" });
  assert.equal((await place.store.read()).config, undefined);
});

Deno.test("encrypt: a network in clear is not joined, nor foreseen; one that encrypts is", async () => {
  const place = ground();
  await ensureNetwork(place.store, { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
  await assert.rejects(startNetwork(contextOf({ encrypt: true }), place, how), clear);
  await assert.rejects(foresee(contextOf({ encrypt: true }), place), clear);
  const encrypted = ground();
  await ensureNetwork(encrypted.store, { Network: "10.5.0.0/16", Backend: { Type: "wireguard" } });
  await startNetwork(contextOf({ encrypt: true }), encrypted, how);
});

Deno.test("encrypt: with --once no network is started or joined whose keys only an agent changes", async () => {
  const refused = {
    code: "invalid",
    message:
      "Cannot join an ipsec network with --once: keys change every 86400 s, and only an agent changes them",
  };
  const place = ground();
  const context = contextOf({ backend: "ipsec" });
  await assert.rejects(startNetwork(context, place, { ...how, once: true }), refused);
  assert.equal((await place.store.read()).config, undefined);
  await startNetwork(context, place, how);
  await assert.rejects(startNetwork(contextOf({}), place, { ...how, once: true }), refused);
  await startNetwork(contextOf({}), ground(), { ...how, once: true });
});

Deno.test("encrypt: a host that runs stays as it is when its network goes over to clear", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const host = await network.joined(1);
  assert.equal(host.agent.state.backend.type, "vxlan");
  Object.assign(host.options, { encrypt: true });
  const { config } = await network.store.read();
  await network.store.writeConfig({ ...vxlanNetwork, Backend: { Type: "host-gw" } }, config!.revision);
  await network.clock.advance(2000);
  assert.equal(host.agent.state.backend.type, "vxlan");
  assert.deepEqual(host.codes, ["network-config"]);
});

/** A peer that stays on vxlan for want of WireGuard, and a host that has moved on and can reach it still. */
async function movedPastOne(network: TestNetwork): Promise<TestHost> {
  const [left, moved] = [await network.joined(1), await network.joined(2)];
  left.kernel.lacks.add("wireguard");
  await network.configure({ ...vxlanNetwork, Backend: { Type: "wireguard" } });
  assert.deepEqual(moved.keys("link"), ["link flan-wg", "link flan.1"]);
  await moved.stop();
  return moved;
}

Deno.test("encrypt: a host that is started again with it takes up nothing in clear that it had", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const moved = await movedPastOne(network);
  Object.assign(moved.options, { encrypt: true });
  await moved.join();
  await moved.run();
  assert.deepEqual(moved.keys("link"), ["link flan-wg"]);
  assert.deepEqual(moved.keys("route"), [
    "route 10.5.0.0/16 metric 0",
    "route 10.5.0.0/16 metric 4294967294",
  ]);
  const { otherPlanes } = moved.agent.state.own!;
  assert.deepEqual([otherPlanes, moved.agent.state.move], [undefined, undefined]);
});

Deno.test("encrypt: whoever looks at a host plans nothing in clear for it either, and without that what it had", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const moved = await movedPastOne(network);
  const snapshot = await network.store.read();
  const known = { snapshot, ...networkIn(snapshot, network.store.url) };
  const objects = await moved.kernel.dump({ links: devicesOf(known, moved.options.stateDir), sysctls: [] });
  const host = await observeHost(moved.kernel, {
    ...known,
    options: moved.options,
    objects,
    clock: moved.clock,
  });
  const linksFor = async (encrypt: boolean) => {
    const seen = { network: known, host, settings: { ...moved.options, encrypt }, objects };
    const { plan } = await compare({ ...ground(), kernel: moved.kernel }, seen);
    return plan.objects.flatMap((object) => object.kind === "link" ? [object.name] : []).sort();
  };
  assert.deepEqual([await linksFor(false), await linksFor(true)], [["flan-wg", "flan.1"], ["flan-wg"]]);
});

Deno.test("encrypt: commands follow what the host has joined with", async () => {
  const runDir = await Deno.makeTempDir({ prefix: "flan-encrypt-" });
  try {
    await writeJoined(runDir, { pid: 1, settings: { encrypt: "true" }, found: {} });
    const follow = (follows: Follows) =>
      loadSettings({ runDir }, { follows, file: undefined }).settings.encrypt;
    assert.deepEqual([follow("all"), follow("network")], [true, false]);
  } finally {
    await Deno.remove(runDir, { recursive: true });
  }
});

Deno.test("a pre-shared key among the backend's options is not shown", () => {
  assert.equal(display("backendOption", { psk: "abc", ListenPort: 1 }), "psk=(secret),ListenPort=1");
});
