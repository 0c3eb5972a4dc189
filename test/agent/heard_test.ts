/** A look that comes before the event: the agent hears what was announced until then before it says who it was. */
import assert from "node:assert/strict";
import { describe, type KernelObject } from "../../kernel/state.ts";
import { type TestHost, TestNetwork } from "../lib/agents.ts";

/** A port that is no process id: the process has gone. */
const SOMEBODY = 4_000_000_000;
const BY = `deleted by process ${SOMEBODY} (ended, name unknown)`;

async function joined(network: TestNetwork): Promise<TestHost> {
  await network.peer(2);
  return await network.joined(1);
}

function planned(host: TestHost, kind: KernelObject["kind"]): KernelObject {
  return host.agent.state.plan.objects.find((object) => object.kind === kind)!;
}

/** The one repair that the log tells of, a minute later too, and its cause. */
async function onlyRepair(network: TestNetwork, host: TestHost) {
  await network.clock.advance(1000);
  const before = host.keys();
  await network.clock.advance(60_000);
  assert.deepEqual(host.keys(), before);
  const lines = host.log.lines.filter(({ fields }) => fields["code"] === "repaired");
  assert.equal(lines.length, 1, host.log.messages.join("\n"));
  return { message: lines[0]!.message, cause: String(lines[0]!.fields["cause"]) };
}

const causes = {
  link: "link flan.1 deleted",
  address: BY,
  nexthop: BY,
  fdb: "FDB entry 0e:00:00:00:00:02 dev flan.1 deleted",
  neighbour: BY,
  route: BY,
} as const;

for (const [kind, cause] of Object.entries(causes) as [keyof typeof causes, string][]) {
  Deno.test(`a ${kind} that a look finds gone before the event is read is told with its cause, and repaired once`, async () => {
    await using network = await TestNetwork.start();
    const host = await joined(network);
    const before = host.keys();
    host.kernel.delayEvents();
    // Of links and FDB entries the kernel does not tell.
    const isTold = kind !== "link" && kind !== "fdb";
    host.kernel.stack.delete(planned(host, kind), isTold ? SOMEBODY : 0);
    await host.agent.repair();
    assert.deepEqual(host.keys(), before);
    const repair = await onlyRepair(network, host);
    assert.ok(repair.cause.includes(cause), repair.cause);
  });
}

Deno.test("whoever did it is named, though a change of the device was heard before and made the agent look", async () => {
  await using network = await TestNetwork.start();
  const host = await joined(network);
  const { stack } = host.kernel;
  const route = planned(host, "route");
  // As the device's own events come after a repair of it.
  stack.replace(stack.link("flan.1")!);
  host.kernel.delayEvents();
  stack.delete(route, SOMEBODY);
  const { message, cause } = await onlyRepair(network, host);
  assert.ok(message.includes(describe(route)), message);
  assert.ok(cause.includes(BY), cause);
});

Deno.test("what is done while a look goes on, too late for it, is told with its cause by the next one", async () => {
  await using network = await TestNetwork.start();
  const host = await joined(network);
  const { kernel } = host;
  const { dump } = kernel;
  kernel.delayEvents();
  kernel.dump = async (request) => {
    const objects = await dump.call(kernel, request);
    if (!request.linksOnly && request.links.length > 0) {
      kernel.dump = dump;
      kernel.stack.delete(planned(host, "route"), SOMEBODY);
    }
    return objects;
  };
  await host.agent.repair();
  const { cause } = await onlyRepair(network, host);
  assert.ok(cause.includes(BY), cause);
});

Deno.test("what the agent itself does to the device while it repairs is not called the cause", async () => {
  await using network = await TestNetwork.start();
  const host = await joined(network);
  const { stack } = host.kernel;
  const link = stack.link("flan.1")!;
  stack.replace({ ...link, mtu: 1300 });
  const { cause } = await onlyRepair(network, host);
  assert.equal(cause, "link flan.1 changed (now mtu 1300)");
});
