/** A host of an encrypted network that boots while its store is away: nothing of the network leaves it in clear. */
import assert from "node:assert/strict";
import { barriersBefore, raiseBarriers } from "../../agent/barriers.ts";
import { forgetLease, readHostState } from "../../agent/host_state.ts";
import { removeFromKernel } from "../../cmd/remove.ts";
import type { Json } from "../../net/json.ts";
import { type TestHost, TestNetwork, vxlanNetwork } from "../lib/agents.ts";

const wireguardNetwork = { ...vxlanNetwork, Backend: { Type: "wireguard" } };
const BARRIER = "route 10.5.0.0/16 metric 4294967294";

/** The host as it was made once more: what it had in its state directory it has, and nothing in its kernel. */
function booted(network: TestNetwork): TestHost {
  const host = network.host(1);
  host.bootId = "00000000-0000-4000-8000-000000000002";
  return host;
}

async function bootedAfterJoin(network: TestNetwork): Promise<{ first: TestHost; host: TestHost }> {
  const first = await network.joined(1);
  await first.stop();
  return { first, host: booted(network) };
}

const placeOf = ({ store: { url }, options: { stateDir } }: TestHost) => ({ stateDir, store: url });

const raise = ({ kernel, store, log, options: { stateDir } }: TestHost) =>
  raiseBarriers({ kernel, store }, { stateDir, log });

const barriersOf = (host: TestHost) =>
  barriersBefore(placeOf(host)).map(({ destination, type }) => `${type} ${destination}`);

Deno.test("barriers: they stand after a boot while the store is away, and when it comes all goes on as usual", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const { first, host } = await bootedAfterJoin(network);
  host.store.away = true;
  await raise(host);
  await assert.rejects(host.join(), { code: "store" });
  assert.deepEqual([host.keys(), host.store.reads], [[BARRIER], 1]);
  host.store.away = false;
  // As the next process would.
  await raise(host);
  await host.join();
  await host.run();
  assert.deepEqual([host.keys(), host.subnet, host.codes], [first.keys(), first.subnet, []]);
  const touched = host.kernel.attempted.filter(({ object }) =>
    object.kind === "route" && object.type === "unreachable"
  );
  assert.deepEqual(touched.map(({ verb }) => verb), ["add", "add"], "the second one found it there");
  assert.deepEqual(host.log.lines.filter(({ message }) => /in clear/.test(message)), []);
});

Deno.test("barriers: a dual-stack network has one of each family", async () => {
  const dual: Json = { ...wireguardNetwork, EnableIPv6: true, IPv6Network: "fd00:5::/48" };
  await using network = await TestNetwork.start(dual);
  const first = network.host(1);
  first.kernel.stack.add({ kind: "address", link: "eth0", address: "2001:db8::1/64" });
  await first.join();
  assert.deepEqual(barriersOf(first), ["unreachable 10.5.0.0/16", "unreachable fd00:5::/48"]);
});

Deno.test("barriers: a network in clear has none, nor one that has gone over to it", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  assert.deepEqual(barriersOf(host), []);
  await network.configure(wireguardNetwork);
  assert.deepEqual(barriersOf(host), ["unreachable 10.5.0.0/16"]);
  await network.configure({ ...vxlanNetwork, Backend: { Type: "alloc" } });
  assert.deepEqual(barriersOf(host), [], "which is kept beside no other");
});

Deno.test("barriers: only a host has them that had a lease there, from this store, and has not given it back", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const stranger = network.host(2);
  assert.deepEqual(barriersOf(stranger), []);
  // In the network, for which no subnet is left: its containers have no addresses there.
  stranger.store.full = true;
  await assert.rejects(stranger.join());
  assert.deepEqual(barriersOf(stranger), []);
  const { host } = await bootedAfterJoin(network);
  const { stateDir, store } = placeOf(host);
  assert.equal(barriersBefore({ stateDir, store }).length, 1);
  assert.deepEqual(barriersBefore({ stateDir, store: "file:/another.json" }), []);
  const planes = `${stateDir}/planes.json`;
  const written = Deno.readTextFileSync(planes);
  // Of another network than the lease is of, of an older flan, and damaged.
  for (
    const text of [written.replace("10.5.0.0/16", "10.6.0.0/16"), written.replace("encrypted", "x"), "{"]
  ) {
    Deno.writeTextFileSync(planes, text);
    assert.deepEqual(barriersOf(host), [], text);
  }
  Deno.writeTextFileSync(planes, written);
  assert.equal(barriersOf(host).length, 1);
  await forgetLease(stateDir);
  assert.deepEqual(barriersOf(host), []);
});

Deno.test("barriers: they go when the network turns out to be in clear, and when this host joins another one", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const { host } = await bootedAfterJoin(network);
  await raise(host);
  await network.configure(vxlanNetwork);
  await host.join();
  // It has to move first, as it would have done had it not been away.
  await host.run();
  await network.clock.advance(60_000);
  assert.ok(!host.keys().includes(BARRIER), host.keys().join());

  await network.configure(wireguardNetwork);
  const again = network.host(3);
  await again.join();
  await using other = await TestNetwork.start({ Network: "10.6.0.0/16", Backend: { Type: "vxlan" } });
  const elsewhere = other.host(3, { stateDir: again.options.stateDir });
  await raiseBarriers({ kernel: elsewhere.kernel, store: again.store }, {
    stateDir: again.options.stateDir,
    log: elsewhere.log,
  });
  assert.deepEqual(elsewhere.keys(), [BARRIER]);
  await elsewhere.join();
  assert.ok(!elsewhere.keys().includes(BARRIER), elsewhere.keys().join());
});

Deno.test("barriers: whoever leaves the network before it was joined takes them away", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const { host } = await bootedAfterJoin(network);
  await raise(host);
  const { removed, left } = await removeFromKernel(host.kernel, {
    ...readHostState(host.options.stateDir)!,
    device: "",
  });
  assert.deepEqual([removed, left, host.keys()], [["removed 1 route"], [], []]);
});

Deno.test("barriers: a kernel that refuses one is told of, and keeps nobody from trying to join", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const { host } = await bootedAfterJoin(network);
  host.kernel.failNext("add", "ENOMEM", { kind: "route" });
  await raise(host);
  assert.deepEqual(host.log.lines.map(({ message }) => message), [
    "Until this host has a lease its packets may leave in clear: " +
    "Cannot add route unreachable 10.5.0.0/16 metric 4294967294: The request failed (ENOMEM)",
  ]);
});
