/** Whoever watches the agent's loop hears it as long as it turns, and not a moment longer. */
import assert from "node:assert/strict";
import { probePage } from "../../agent/monitoring/pages.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { TestNetwork, underlayStack } from "../lib/agents.ts";

Deno.test("pulse: the loop turns as often as its watcher wants, and looks no more often for that", async () => {
  await using network = await TestNetwork.start();
  let turns = 0;
  const host = await network.joined(1, { watcher: { every: 2000, turned: () => void turns++ } });
  await network.clock.advance(10);
  turns = 0;
  const { dump } = host.kernel.calls;
  await network.clock.advance(60_000);
  assert.ok(turns >= 30 && turns <= 34, `${turns} turns`);
  assert.equal(host.kernel.calls.dump - dump, 4, "two looks of two dumps");
});

Deno.test("pulse: a loop that hangs is heard no more, and /livez says so after a minute", async () => {
  await using network = await TestNetwork.start();
  const kernel = new FakeKernel(underlayStack(1));
  let turns = 0;
  const host = await network.joined(1, { kernel, watcher: { every: 2000, turned: () => void turns++ } });
  const facts = () => Promise.reject(new Error("not asked for"));
  const livez = async () => (await probePage("/livez", { agent: host.agent, facts }));
  assert.deepEqual(await livez(), { status: 200, text: "ok\n" });
  const { dump } = kernel;
  const hung = Promise.withResolvers<void>();
  kernel.dump = async (request) => {
    await hung.promise;
    return await dump.call(kernel, request);
  };
  network.clock.isQuiet = () => true;
  await network.clock.advance(31_000);
  turns = 0;
  await network.clock.advance(30_000);
  assert.equal(turns, 0);
  assert.equal((await livez()).status, 200);
  await network.clock.advance(30_000);
  assert.equal((await livez()).status, 503);
  assert.match((await livez()).text, /^the agent's loop has not turned for \d+ s\n$/);
  hung.resolve();
  kernel.dump = dump;
  await network.clock.turn();
  await network.clock.advance(2000);
  assert.deepEqual(await livez(), { status: 200, text: "ok\n" });
  assert.ok(turns > 0);
});

Deno.test("pulse: the loop is heard when its wait is over, before what may take long", async () => {
  await using network = await TestNetwork.start();
  const kernel = new FakeKernel(underlayStack(1));
  let heard = 0;
  const { clock } = network;
  await network.joined(1, { kernel, watcher: { every: 30_000, turned: () => heard = clock.monotonic() } });
  await clock.advance(5000);
  const { dump } = kernel;
  const silences: number[] = [];
  kernel.dump = (request) => (silences.push(clock.monotonic() - heard), dump.call(kernel, request));
  await clock.advance(120_000);
  assert.ok(silences.length > 0 && Math.max(...silences) <= 1000, silences.join());
});
