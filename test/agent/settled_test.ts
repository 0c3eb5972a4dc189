/** An address of IPv6 that the kernel does not let the host use yet, or never will: what a host that joins makes of it. */
import assert from "node:assert/strict";
import type { KernelObject } from "../../kernel/state.ts";
import { FlanError } from "../../net/errors.ts";
import { TestNetwork, underlayStack } from "../lib/agents.ts";
import { address, announced, defaultRoute6, dualNetwork, ipv6Network } from "../lib/dual_agents.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { until } from "../lib/until.ts";

/** A kernel whose eth0 has a link-local address, and another one that is looked for duplicates of, with these `others`. */
function youngKernel(...others: readonly KernelObject[]): FakeKernel {
  const stack = underlayStack(1);
  const young = address("2001:db8::1/64", { passing: true });
  for (const one of [address("fe80::1/64"), ...others, young, defaultRoute6]) stack.add(one);
  return new FakeKernel(stack);
}

/** Lets the host join, which waits until its address may be used, and is known by it then. */
async function joinsSettled(network: TestNetwork, host: ReturnType<TestNetwork["host"]>): Promise<void> {
  const joining = host.join();
  joining.catch(() => {}); // awaited below
  await until("the host waits", () => Promise.resolve(host.clock.sleeping > 0));
  host.kernel.stack.delete(address("2001:db8::1/64"));
  host.kernel.stack.add(address("2001:db8::1/64"));
  await network.clock.advance(1000);
  await joining;
  assert.deepEqual(await announced(network, host), ["192.0.2.1", "2001:db8::1"]);
}

Deno.test("IPv6: a host that joins while its address is tentative waits for it, and is never known by a link-local one", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = network.host(1, { kernel: youngKernel() });
  await joinsSettled(network, host);
});

Deno.test("IPv6: an address that stays tentative is told of after five seconds, and nothing was touched", async () => {
  await using network = await TestNetwork.start(ipv6Network);
  const host = network.host(1, { kernel: youngKernel() });
  const refused = assert.rejects(
    host.join(),
    /; 2001:db8::1 on eth0 is tentative or deprecated; links .*: none$/,
  );
  await until("the host waits", () => Promise.resolve(host.clock.sleeping > 0));
  await network.clock.advance(6000);
  await refused;
  assert.deepEqual([host.keys(), (await network.store.read()).records], [[], []]);
});

const taken = (text: string) => address(text, { passing: true, duplicate: true });

Deno.test("IPv6: an address that another host has is told of at once, and is not waited for", async () => {
  await using network = await TestNetwork.start(ipv6Network);
  const kernel = youngKernel();
  kernel.stack.delete(address("2001:db8::1/64"));
  kernel.stack.add(taken("2001:db8::1/64"));
  const host = network.host(1, { kernel });
  await assert.rejects(host.join(), (error) => {
    assert.ok(error instanceof FlanError);
    assert.match(
      error.message,
      /; 2001:db8::1 on eth0 is a duplicate: another host on that link has it; links .*: none$/,
    );
    assert.equal(error.hint, "give this host an address that no other one has");
    return true;
  });
  assert.equal(host.clock.sleeping, 0);
  assert.deepEqual([host.keys(), (await network.store.read()).records], [[], []]);
});

Deno.test("IPv6: beside an address that another host has, one that is tentative is waited for", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = network.host(1, { kernel: youngKernel(taken("2001:db8::9/64")) });
  await joinsSettled(network, host);
});
