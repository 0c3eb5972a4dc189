/** A repair that is asked for: what it did, what it left, and that it always gets an answer. */
import assert from "node:assert/strict";
import { Asked } from "../../agent/asked.ts";
import { repairDocument } from "../../agent/repair_document.ts";
import type { Route } from "../../kernel/state.ts";
import { TestNetwork } from "../lib/agents.ts";

/** A host whose agent is told nothing of what happens in its kernel, and the route to its peer. */
async function host(network: TestNetwork) {
  const one = await network.joined(1);
  const { subnet } = await network.peer(2);
  const route = one.kernel.stack.objects.get(`route ${subnet} metric 0`) as Route;
  return { one, subnet, route };
}

Deno.test("a repair on demand tells what it put back, and then that there is nothing to do", async () => {
  await using network = await TestNetwork.start();
  const { one, subnet, route } = await host(network);
  one.kernel.stack.objects.delete(`route ${subnet} metric 0`);
  const asked = one.agent.repair();
  await network.clock.turn();
  assert.deepEqual(repairDocument(await asked), {
    done: [{
      did: "added",
      key: `route ${subnet} metric 0`,
      object: `route ${subnet} via ${route.gateway} dev flan.1`,
    }],
    left: [],
  });
  const again = one.agent.repair();
  await network.clock.turn();
  assert.deepEqual(repairDocument(await again), { done: [], left: [] });
});

Deno.test("a repair on demand names what the kernel refuses and what stands in the way", async () => {
  await using network = await TestNetwork.start();
  const { one, subnet, route } = await host(network);
  const { subnet: other } = await network.peer(3);
  one.kernel.stack.objects.delete(`route ${subnet} metric 0`);
  one.kernel.stack.objects.set(`route ${other} metric 0`, {
    ...route,
    destination: other,
    nexthop: 0,
    gateway: "192.0.2.77",
    link: "eth0",
    protocol: 4,
  });
  one.kernel.failNext("add", "ENETDOWN", { kind: "route", times: 9 });
  const asked = one.agent.repair();
  await network.clock.turn();
  const { done, left } = repairDocument(await asked);
  assert.deepEqual(done, []);
  assert.deepEqual(left.map(({ key, code }) => [key, code]), [
    [`route ${other} metric 0`, "foreign-route"],
    [`route ${subnet} metric 0`, "kernel-refuses"],
  ]);
  assert.match(left[0]!.why, /^route .* via 192\.0\.2\.77 dev eth0 is not flan's/);
  assert.match(left[1]!.why, /ENETDOWN/);
});

Deno.test("whoever asks an agent that stops gets an answer", async () => {
  await using network = await TestNetwork.start();
  const { one } = await host(network);
  const asked = one.agent.repair().then(() => "answered", (error) => (error as Error).message);
  await one.stop();
  assert.match(await asked, /^(answered|The agent stops)$/);
});

Deno.test("a question that comes during a look is answered by the next one", async () => {
  const asked = new Asked<number>();
  const first = asked.ask();
  asked.begin();
  const second = asked.ask();
  asked.answer(1);
  assert.equal(await first, 1);
  asked.begin();
  asked.answer(2);
  assert.equal(await second, 2);
  const last = [asked.ask()];
  asked.begin();
  last.push(asked.ask());
  asked.refuse(new Error("over"));
  for (const one of last) await assert.rejects(one, /over/);
});
