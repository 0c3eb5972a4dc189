/** `--encrypt`: a network in clear is neither started nor joined, and a running host does not follow one. */
import assert from "node:assert/strict";
import { startNetwork } from "../../cmd/start_network.ts";
import { foresee } from "../../cmd/dry_run.ts";
import { display } from "../../cmd/config.ts";
import { ensureNetwork } from "../../lease/manager.ts";
import { TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { contextOf, ground } from "../lib/grounds.ts";

const clear = {
  code: "invalid",
  message: "Cannot use backend vxlan with --encrypt: it carries packets in clear",
};
const how = { allowOverlap: false };

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

Deno.test("a pre-shared key among the backend's options is not shown", () => {
  assert.equal(display("backendOption", { psk: "abc", ListenPort: 1 }), "psk=(secret),ListenPort=1");
});
