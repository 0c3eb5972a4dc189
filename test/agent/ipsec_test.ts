/** Agents of an ipsec network: they have the same keys, change them by the clock, and take no key up again. */
import assert from "node:assert/strict";
import { IpsecLedger } from "../../agent/ipsec_ledger.ts";
import { HostSecrets } from "../../agent/secrets.ts";
import { networkIn } from "../../agent/network.ts";
import { statusOf } from "../../agent/status.ts";
import type { Change, DumpRequest, Feature, Kernel } from "../../kernel/kernel.ts";
import { keyOf } from "../../kernel/state.ts";
import { type XfrmPolicy, type XfrmState, xfrmSubject } from "../../kernel/xfrm.ts";
import type { Json } from "../../net/json.ts";
import { type TestHost, TestNetwork, underlayStack } from "../lib/agents.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { FakeXfrm } from "../lib/fake_xfrm.ts";
import { PRESHARED_KEY } from "../lib/overlay.ts";

const SPAN = 607_000;
const network = {
  Network: "10.5.0.0/16",
  Backend: { Type: "ipsec", PSK: PRESHARED_KEY, RekeySeconds: SPAN / 1000 },
};

/** A kernel in memory with IPsec, as the agent's. */
class SealedKernel extends FakeKernel {
  readonly fake: FakeXfrm;
  readonly whole: Kernel;

  constructor(
    n: number,
    { dir, clock, value = network }: Pick<TestNetwork, "dir" | "clock"> & { value?: Json },
  ) {
    super(underlayStack(n));
    this.fake = new FakeXfrm(this.stack);
    const secrets = new HostSecrets(`${dir}/${n}`);
    secrets.learn(
      networkIn({ revision: 1, config: { value, revision: 1 }, records: [], past: [] }, ""),
    );
    this.whole = this.fake.over(this.#inner(), { secrets, ledger: new IpsecLedger(`${dir}/${n}`, clock) });
  }

  override dump = (request: DumpRequest) => this.whole.dump(request);
  override apply = (changes: readonly Change[]) => this.whole.apply(changes);
  override require = (features: readonly Feature[]) => this.whole.require(features);
  override events = (signal: AbortSignal) => this.whole.events(signal);
  override hear = () => this.whole.hear();

  /** What is beneath, which this kernel puts the tables around. */
  #inner(): Kernel {
    return Object.assign(Object.create(this), {
      dump: FakeKernel.prototype.dump.bind(this),
      apply: FakeKernel.prototype.apply.bind(this),
      require: FakeKernel.prototype.require.bind(this),
      events: FakeKernel.prototype.events.bind(this),
      hear: FakeKernel.prototype.hear.bind(this),
    });
  }

  get states(): readonly XfrmState[] {
    return [...this.fake.objects.values()].filter((object) => object.kind === "xfrm-state");
  }
}

async function joined(all: TestNetwork, n: number): Promise<{ host: TestHost; kernel: SealedKernel }> {
  const kernel = new SealedKernel(n, all);
  return { host: await all.joined(n, { kernel }), kernel };
}

const nonceOf = (host: TestHost) => (host.agent.state.own!.backendData as { Nonce: string }).Nonce;

/** Insists that each of two hosts takes in what the other one sends by. */
function together(one: SealedKernel, other: SealedKernel): void {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    const sent = from.states.filter(({ source, destination }) =>
      to.states.some((state) => state.source === source && state.destination === destination) &&
      from.states.filter((state) => state.destination === destination).length === 1
    );
    assert.equal(sent.length, 1);
    assert.ok(to.states.some(({ spi, key }) => spi === sent[0]!.spi && key === sent[0]!.key));
  }
}

Deno.test("ipsec agents: two hosts derive the same keys, and change them when an epoch begins", async () => {
  await using all = await TestNetwork.start(network);
  // No epoch begins when the agents look anyway.
  await all.clock.advance(7000);
  const [a, b] = [await joined(all, 1), await joined(all, 2)];
  together(a.kernel, b.kernel);
  assert.notEqual(nonceOf(a.host), nonceOf(b.host));
  const before = a.kernel.states.map(({ key }) => key);
  const nonces = [nonceOf(a.host), nonceOf(b.host)];
  const epoch = a.host.agent.state.host.ipsec!.epoch;
  await all.clock.advance((epoch + 1) * SPAN - all.clock.now() + 1000);
  await all.clock.turn();
  together(a.kernel, b.kernel);
  const after = a.kernel.states.map(({ key }) => key);
  assert.equal(after.filter((key) => !before.includes(key)).length, 2);
  assert.deepEqual([nonceOf(a.host), nonceOf(b.host)], nonces);
  assert.deepEqual([a.host.codes, b.host.codes], [[], []]);
});

Deno.test("ipsec agents: the status, which every user may read, holds no key, also of a config that cannot be used", async () => {
  await using all = await TestNetwork.start(network);
  const { host, kernel } = await joined(all, 1);
  await joined(all, 2);
  const status = () =>
    JSON.stringify(statusOf(host.agent, { pid: 1, version: "0", store: "memory:", now: all.clock.now() }));
  const well = status();
  const Wrong = PRESHARED_KEY.slice(0, 20);
  await all.configure({ ...network, Backend: { Type: "ipsec", PSK: Wrong } });
  await all.clock.advance(1000);
  assert.deepEqual(host.codes, ["network-config"]);
  assert.ok(kernel.states.length > 0);
  for (const key of [Wrong, ...kernel.states.map(({ key }) => key)]) {
    for (const said of [well, status()]) assert.ok(!said.includes(key));
  }
});

Deno.test("ipsec agents: who has lost a state announces another nonce, and peers follow", async () => {
  await using all = await TestNetwork.start(network);
  const [a, b] = [await joined(all, 1), await joined(all, 2)];
  const nonce = nonceOf(a.host);
  const keys = new Set(a.kernel.states.map(({ key }) => key));
  a.kernel.fake.objects.delete(keyOf(a.kernel.states[0]!));
  await all.clock.advance(60_000);
  assert.notEqual(nonceOf(a.host), nonce);
  together(a.kernel, b.kernel);
  assert.ok(a.kernel.states.every(({ key }) => !keys.has(key)));
  assert.deepEqual([a.host.codes, b.host.codes], [[], []]);
});

Deno.test("ipsec agents: a policy that somebody deletes is back at once, and all states are with another nonce", async () => {
  await using all = await TestNetwork.start(network);
  const [a, b] = [await joined(all, 1), await joined(all, 2)];
  const nonce = nonceOf(a.host);
  const { objects } = a.kernel.fake;
  const policy = [...objects.values()].find(({ kind }) => kind === "xfrm-policy") as XfrmPolicy;
  a.kernel.fake.lose(policy);
  await all.clock.advance(1000);
  assert.ok(objects.has(keyOf(policy)));
  assert.equal(a.host.agent.repairs.last?.cause, `IPsec ${xfrmSubject(policy)} deleted`);
  assert.equal(nonceOf(a.host), nonce);
  for (const state of a.kernel.states) a.kernel.fake.lose(state);
  await all.clock.advance(1000);
  assert.notEqual(nonceOf(a.host), nonce);
  together(a.kernel, b.kernel);
  assert.deepEqual([a.host.codes, b.host.codes], [[], []]);
});

Deno.test("ipsec agents: who leaves and comes back in the same boot has states that work when it says that it is ready", async () => {
  await using all = await TestNetwork.start(network);
  const [a, b] = [await joined(all, 1), await joined(all, 2)];
  const nonce = nonceOf(a.host);
  await a.host.stop();
  a.kernel.fake.objects.clear();
  await a.host.join();
  assert.deepEqual(a.host.agent.state.report.failures, []);
  assert.equal(a.kernel.states.length, 4);
  assert.notEqual(nonceOf(a.host), nonce);
  await a.host.run();
  await all.clock.advance(60_000);
  together(a.kernel, b.kernel);
  assert.deepEqual([a.host.codes, b.host.codes], [[], []]);
});

Deno.test("ipsec agents: what one host does costs no other one its nonce", async () => {
  await using all = await TestNetwork.start(network);
  const [a, b, c] = [await joined(all, 1), await joined(all, 2), await joined(all, 3)];
  const others = () => [nonceOf(a.host), nonceOf(c.host)];
  const before = others();
  const settled = async () => {
    await all.clock.advance(60_000);
    for (const [one, other] of [[a, b], [b, c], [a, c]] as const) {
      const keys = new Set(one.kernel.states.map(({ key }) => key));
      // What each of them sends by; a NAT may stand between them.
      assert.equal(other.kernel.states.filter(({ key }) => keys.has(key)).length, 2);
    }
    assert.deepEqual([others(), a.host.codes, b.host.codes, c.host.codes], [before, [], [], []]);
  };
  // It leaves and comes back.
  await b.host.stop();
  await all.remove("10.5.2.0/24");
  b.kernel.fake.objects.clear();
  await all.clock.advance(60_000);
  await b.host.join();
  await b.host.run();
  await settled();
  // Its announced address changes.
  await b.host.stop();
  Object.assign(b.host.options, { publicIp: "192.0.2.99" });
  await b.host.join();
  await b.host.run();
  await settled();
});

Deno.test("ipsec agents: one whose ledger is lost says so of its state directory, and keeps the keys that it has", async () => {
  await using all = await TestNetwork.start(network);
  const [a, b] = [await joined(all, 1), await joined(all, 2)];
  const file = `${all.dir}/1/ipsec.json`;
  Deno.renameSync(file, `${file}.away`);
  Deno.mkdirSync(file);
  await all.clock.advance(60_000);
  assert.deepEqual([a.host.codes, b.host.codes], [["ipsec-keys"], []]);
  together(a.kernel, b.kernel);
  Deno.removeSync(file);
  Deno.renameSync(`${file}.away`, file);
  await all.clock.advance(60_000);
  assert.deepEqual([a.host.codes, b.host.codes], [[], []]);
  together(a.kernel, b.kernel);
});

Deno.test("ipsec agents: one that is started again changes nothing", async () => {
  await using all = await TestNetwork.start(network);
  const { host, kernel } = await joined(all, 1);
  await joined(all, 2);
  const nonce = nonceOf(host);
  const done = kernel.fake.done.length;
  await host.stop();
  await host.join();
  await host.run();
  assert.deepEqual([nonceOf(host), kernel.fake.done.length], [nonce, done]);
});

const inUdp = { ...network, Backend: { ...network.Backend, UDPEncap: true } };

Deno.test("ipsec agents: who ends the process that holds the socket for ESP in UDP sees it back at once, and told of", async () => {
  await using all = await TestNetwork.start(inUdp);
  const kernel = new SealedKernel(1, { ...all, value: inUdp });
  const host = await all.joined(1, { kernel });
  const { encap } = kernel.fake;
  const { pid } = encap;
  assert.notEqual(pid, undefined);
  encap.kill();
  await all.clock.advance(1000);
  assert.ok(encap.pid !== undefined && encap.pid !== pid);
  assert.deepEqual(host.codes, []);
  const { last } = host.agent.repairs;
  assert.deepEqual([last?.what, last?.cause], [
    "socket for ESP in UDP at port 4500",
    "the process that held it ended",
  ]);
  // An agent that is started again finds it.
  const kept = encap.pid;
  await host.stop();
  assert.equal(encap.pid, kept);
  await host.join();
  assert.equal(encap.pid, kept);
});

Deno.test("ipsec agents: where another program has the port, nothing is made at all", async () => {
  await using all = await TestNetwork.start(inUdp);
  const kernel = new SealedKernel(1, { ...all, value: inUdp });
  kernel.fake.encap.isTaken = true;
  await assert.rejects(all.joined(1, { kernel }), { code: "unsupported", message: /port 4500 is taken/ });
  assert.deepEqual([kernel.fake.done, kernel.attempted], [[], []]);
  assert.deepEqual((await all.store.read()).records, []);
});
