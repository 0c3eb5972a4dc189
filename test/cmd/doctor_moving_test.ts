/** What the doctor finds on a host whose network moves from one backend to another. */
import assert from "node:assert/strict";
import { inboundOf, probesOf } from "../../cmd/doctor/inbound.ts";
import { factsOf } from "../../cmd/doctor/host_facts.ts";
import { observeIn } from "../../cmd/observe.ts";
import type { NetworkFacts } from "../../doctor/facts.ts";
import { keyOf } from "../../kernel/state.ts";
import { type TestHost, TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { contextOf, ground } from "../lib/grounds.ts";

async function seenOn(network: TestNetwork, { kernel, options }: TestHost): Promise<NetworkFacts> {
  const context = contextOf({ ...options, store: network.store.url });
  const looking = { ...ground(), kernel, snapshot: await network.store.read(), known: undefined };
  const { network: facts } = await factsOf(context, looking);
  return "seen" in facts ? facts.seen : assert.fail(facts.unseen);
}

Deno.test("doctor: in mid-move a host has both backends, whose packets are in clear as long as those of one are", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const [left, moved] = [await network.joined(1), await network.joined(2)];
  left.kernel.lacks.add("wireguard");
  await network.configure({ ...vxlanNetwork, Backend: { Type: "wireguard" } });
  const facts = await seenOn(network, moved);
  assert.equal(facts.encrypted, false);
  assert.deepEqual(facts.devices, ["flan-wg", "flan.1"]);
  assert.deepEqual(
    inboundOf(facts).map(({ payload }) => "port" in payload && payload.port).sort(),
    [51820, 8472],
  );
  assert.deepEqual(facts.drift, [], "it has what its agent planned");
  assert.deepEqual(facts.mtu, 1440);
  assert.deepEqual(probesOf(facts, 8473).map(({ link }) => link), ["flan.1"], "where its peer is");
  const stayed = await seenOn(network, left);
  assert.deepEqual(
    [stayed.devices, stayed.drift, stayed.mtu],
    [["flan.1"], [], 1450],
    "it has the former alone",
  );
  assert.deepEqual(
    facts.planned.flatMap((one) => one.kind === "link" ? [keyOf(one)] : []),
    moved.keys("link"),
  );
});

Deno.test("doctor: a network that does not move is encrypted where its one backend encrypts", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend: { Type: "wireguard" } });
  const [first] = [await network.joined(1), await network.joined(2)];
  const facts = await seenOn(network, first);
  assert.deepEqual([facts.encrypted, facts.devices, facts.drift], [true, ["flan-wg"], []]);
});

Deno.test("doctor: a host that has not joined is judged by what ipsec in UDP would have of it", async () => {
  const Backend = { Type: "ipsec", PSK: "p".repeat(96), UDPEncap: true };
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend });
  const { kernel, ...rest } = ground();
  kernel.lacks.add("udp-encap");
  const looking = { ...rest, kernel, snapshot: await network.store.read(), known: undefined };
  const { network: facts, lacks } = await factsOf(contextOf({ store: network.store.url }), looking);
  assert.ok("seen" in facts);
  assert.deepEqual(inboundOf(facts.seen).map(({ payload }) => payload), [{ protocol: "udp", port: 4500 }]);
  assert.equal(lacks.length, 1);
});

Deno.test("doctor: a host that is to use nothing but encryption stays encrypted where the network is in clear now", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Backend: { Type: "wireguard" } });
  const host = await network.joined(1, { encrypt: true });
  await network.joined(2, { encrypt: true });
  await network.configure({ ...vxlanNetwork, Backend: { Type: "host-gw" } });
  const facts = await seenOn(network, host);
  assert.deepEqual([facts.encrypted, facts.devices, facts.drift, facts.mtu], [true, ["flan-wg"], [], 1440]);
});

Deno.test("routes: on a host that could not follow they are those of the backend that it stayed on, as they stand", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const [{ kernel, options }] = [await network.joined(1), await network.joined(2)];
  kernel.lacks.add("ipip");
  await network.configure({ ...vxlanNetwork, Backend: { Type: "ipip" } });
  const { store } = network;
  const context = contextOf({ ...options, runDir: `${network.dir}/none`, store: store.url });
  const { config, drift, plan } = await observeIn(context, { store, looked: { ...ground(), kernel } });
  assert.deepEqual([config.backendType, drift.changes, plan.refused], ["vxlan", [], []]);
});
