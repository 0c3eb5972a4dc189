/** The watch over peers: quiet, told of losses soon and of a single one not at all, and over when it is over. */
import assert from "node:assert/strict";
import { PeerWatch } from "../../probe/watch.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { at, FakeProbeNet, others } from "../lib/fake_probes.ts";

/** Host 1 watches `count - 1` others. */
async function watching(count: number, body: (tools: ReturnType<typeof make>) => Promise<void>) {
  const tools = make(count);
  const over = new AbortController();
  const running = tools.watch.run(tools.session, over.signal);
  try {
    await body(tools);
  } finally {
    over.abort();
    await pass(tools.clock, 10_000);
    await running;
  }
}

function make(count: number) {
  const clock = new FakeClock();
  const net = new FakeProbeNet(clock);
  const session = net.session(at(1), others(count, 1));
  for (let n = 2; n <= count; n++) net.session(at(n), others(count, n));
  const told = { changes: 0 };
  const watch = new PeerWatch(clock, () => told.changes++);
  watch.follow(others(count, 1));
  return { clock, net, session, watch, told, state: () => watch.states[0]! };
}

/** In steps: whoever waits for a lost packet takes some turns of the loop before the next sleep. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 100) await clock.advance(100);
}

const fromHere = ({ from }: { from: string }) => from === at(1);

Deno.test("watch: a peer that answers is up within seconds, with its time and the whole MTU", () =>
  watching(2, async ({ clock, state }) => {
    await pass(clock, 3000);
    assert.deepEqual([state().isUp, state().mtu, state().tooLarge, state().how], [true, 1450, 0, "udp"]);
    assert.ok(state().rtt! > 0);
  }));

Deno.test("watch: peers are visited about twice a minute, and never too many at once", () =>
  watching(101, async ({ clock, net }) => {
    await pass(clock, 60_000);
    net.sent.length = 0;
    await pass(clock, 300_000);
    const visits = net.sent.filter(fromHere).length / 2 / 100;
    assert.ok(visits >= 8 && visits <= 10, `${visits} visits in five minutes`);
  }));

Deno.test("watch: with more peers than there is time for, the pace stays", async () => {
  const clock = new FakeClock();
  const net = new FakeProbeNet(clock);
  const many = Array.from(
    { length: 5000 },
    (_, i) => ({ address: `10.${6 + (i >> 8)}.${i & 255}.0`, isFlan: true }),
  );
  const session = net.session(at(1), many);
  for (const { address } of many) net.addHost(address);
  const watch = new PeerWatch(clock, () => {});
  watch.follow(many);
  const over = new AbortController();
  const running = watch.run(session, over.signal);
  await pass(clock, 20_000);
  assert.ok(net.sent.filter(fromHere).length <= 20 * 50, `${net.sent.length} packets`);
  over.abort();
  await pass(clock, 5000);
  await running;
});

Deno.test("watch: three losses in a row are told, and the first answer ends it", () =>
  watching(2, async ({ clock, net, state }) => {
    await pass(clock, 3000);
    net.passes = () => false;
    await pass(clock, 60_000);
    assert.deepEqual([state().isUp, state().rtt], [false, undefined]);
    net.passes = () => true;
    await pass(clock, 40_000);
    assert.equal(state().isUp, true);
  }));

Deno.test("watch: two losses in a row are nothing", () =>
  watching(2, async ({ clock, net, state }) => {
    await pass(clock, 3000);
    let lost = 0;
    net.passes = (packet) => !(fromHere(packet) && lost++ < 8);
    await pass(clock, 60_000);
    assert.ok(lost > 8, "four packets of a visit were lost, twice");
    assert.equal(state().isUp, true);
  }));

Deno.test("watch: a hole is found, told with its sizes, and over when large packets pass again", () =>
  watching(2, async ({ clock, net, state }) => {
    await pass(clock, 3000);
    net.passes = (packet) => !(fromHere(packet) && packet.size > 1299);
    await pass(clock, 60_000);
    assert.deepEqual([state().isUp, state().mtu, state().tooLarge], [true, 1299, 1300]);
    net.passes = () => true;
    await pass(clock, 40_000);
    assert.deepEqual([state().mtu, state().tooLarge], [1450, 0]);
  }));

Deno.test("watch: a host without an agent is up by its echoes; one that left is forgotten", () =>
  watching(2, async ({ clock, net, watch, state }) => {
    net.passes = ({ how }) => how === "icmp";
    await pass(clock, 10_000);
    assert.deepEqual([state().isUp, state().how], [true, "icmp"]);
    watch.follow([]);
    assert.deepEqual(watch.states, []);
    await pass(clock, 2000);
    net.sent.length = 0;
    await pass(clock, 120_000);
    assert.deepEqual(net.sent, []);
  }));

Deno.test("watch: what means the same as before is not told again", () =>
  watching(11, async ({ clock, told, net }) => {
    await pass(clock, 3000);
    const { changes } = told;
    assert.ok(changes > 0);
    await pass(clock, 120_000);
    assert.equal(told.changes, changes);
    net.passes = () => false;
    await pass(clock, 120_000);
    const lost = told.changes;
    assert.ok(lost > changes);
    await pass(clock, 120_000);
    assert.equal(told.changes, lost);
  }));

Deno.test("watch: the first news are told at once, those of many others within a second and at once for all", () =>
  watching(41, async ({ clock, watch, told }) => {
    const isUp = () => watch.states.filter((state) => state.isUp).length;
    while (told.changes === 0) await clock.advance(1);
    assert.equal(isUp(), 1);
    // All are visited within some seconds, one each 80 ms.
    for (let second = 1; second <= 5; second++) {
      const changes = told.changes;
      await pass(clock, 1000);
      assert.ok(told.changes - changes <= 1, `${told.changes - changes} times in a second`);
    }
    assert.deepEqual([isUp(), told.changes], [40, 5]);
  }));

Deno.test("watch: a peer that is lost while its hole is measured has none", () =>
  watching(2, async ({ clock, net, state }) => {
    await pass(clock, 3000);
    let measured = 0;
    net.passes = (packet) => {
      if (!fromHere(packet)) return true;
      // Of the sizes that only a search tries, the second one is the last that passes.
      if (![48, 1450].includes(packet.size)) measured++;
      return packet.size < 1300 && measured < 2;
    };
    await pass(clock, 45_000);
    assert.ok(measured >= 2, `${measured} sizes`);
    assert.equal(state().tooLarge, 0);
  }));

Deno.test("watch: a hole that becomes another one is told as it is", () =>
  watching(2, async ({ clock, net, state }) => {
    const hole = (limit: number) => net.passes = (packet) => !(fromHere(packet) && packet.size > limit);
    hole(1299);
    await pass(clock, 20_000);
    assert.deepEqual([state().mtu, state().tooLarge], [1299, 1300]);
    hole(1399);
    await pass(clock, 11 * 40_000);
    assert.deepEqual([state().mtu, state().tooLarge], [1399, 1400]);
  }));

Deno.test("watch: nothing comes of a visit that the end of its session cuts short", async () => {
  for (const isSearch of [false, true]) {
    const { clock, net, session, watch, state } = make(2);
    const over = new AbortController();
    const running = watch.run(session, over.signal);
    await pass(clock, 3000);
    assert.equal(state().isUp, true);
    const before = state();
    net.sent.length = 0;
    net.passes = (packet) => isSearch && packet.size < 1300;
    const isUnderWay = () => net.sent.some(({ size }) => !isSearch || size === 1400);
    while (!isUnderWay()) await clock.advance(100);
    net.refuses = () => "EBADF";
    over.abort();
    session.close();
    await pass(clock, 10_000);
    await running;
    assert.deepEqual({ ...state(), rtt: 0 }, { ...before, rtt: 0 }, `a search: ${isSearch}`);
  }
});
