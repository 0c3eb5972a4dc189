/** The checksum offload of the device: kept as the host's setting says, and nobody's business without one. */
import assert from "node:assert/strict";
import type { Link } from "../../kernel/state.ts";
import { TestNetwork } from "../lib/agents.ts";

const ADMINISTRATOR = 77;

Deno.test("agent: a checksum offload that is to be off is so from the join on, and put back within 2 s", async () => {
  await using network = await TestNetwork.start();
  const one = await network.joined(1, { txChecksum: "off" });
  const { stack } = one.kernel;
  const device = stack.link("flan.1")!;
  assert.equal(device.txChecksum, false);
  const switched: Link = { ...device, txChecksum: true };
  const deeds = [
    () => stack.replace(switched, ADMINISTRATOR),
    () => stack.delete(device, ADMINISTRATOR),
    () => {
      const { txChecksum: _, ...anew } = device;
      stack.delete(device, ADMINISTRATOR);
      stack.add(anew, ADMINISTRATOR);
    },
  ];
  for (const [i, deed] of deeds.entries()) {
    deed();
    await network.clock.advance(2000);
    assert.deepEqual(stack.link("flan.1"), device, `deed ${i}`);
  }
  const { count } = one.agent.repairs;
  await network.clock.advance(600_000);
  assert.equal(one.agent.repairs.count, count, "what is as it should be is not repaired");
  assert.deepEqual(one.codes, []);
});

Deno.test("agent: without the setting the device is as the kernel makes it, and whoever switches it may", async () => {
  await using network = await TestNetwork.start();
  const one = await network.joined(1);
  const { stack } = one.kernel;
  const device = stack.link("flan.1")!;
  assert.equal(device.txChecksum, undefined);
  stack.replace({ ...device, txChecksum: false }, ADMINISTRATOR);
  await network.clock.advance(60_000);
  assert.equal(stack.link("flan.1")?.txChecksum, false);
  assert.equal(one.agent.repairs.count, 0);
});
