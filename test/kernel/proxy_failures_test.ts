/** The story of a host of the udp backend under every injected failure: the end is the same, only the time to it differs. */
import assert from "node:assert/strict";
import type { KernelObject, ObjectKind } from "../../kernel/state.ts";
import { FakeKernel, hostStack, type Verb } from "../lib/fake_kernel.ts";
import { contents, type Setup, setup, untilQuiet } from "../lib/reconciling.ts";
import { proxyRoute, tun, tunRoute, udpOwner, udpPlanned } from "../lib/udp_plan.ts";

const kinds: readonly ObjectKind[] = ["link", "address", "proxy", "proxy-route", "route"];
const errnos = ["EEXIST", "ENODEV", "EADDRINUSE", "ECONNREFUSED", "EBUSY", "EPERM"];

const first = udpPlanned([2, 3, 4]);
// Another address for one host, another host, and a proxy and a link with other values.
const second = udpPlanned([2, 1003, 5], { link: { mtu: 1400 }, proxy: { port: 8286, checkSource: false } });

/** What a crashed run left: a device with other queues and its proxy, routes to hosts that left, and a second device. */
function crashed(): FakeKernel {
  const stack = hostStack();
  const link = { multiQueue: true, queueLength: 500 };
  for (const object of udpPlanned([9], { link: { tun: link }, proxy: { queues: 2, port: 1 } })) {
    assert.equal(stack.add(object), undefined);
  }
  stack.add({ ...tun, name: "flan9" });
  return new FakeKernel(stack);
}

/** Start after a crash, a changed view, damage by others, and a look. `before` runs before each step. */
async function story(test: Setup, before: () => void): Promise<KernelObject[]> {
  const { kernel, reconciler } = test;
  const { stack } = kernel;
  const stop = stack.listen((event) => reconciler.note({ ...event, own: event.port === kernel.port }));
  before();
  await untilQuiet(test, first);
  before();
  await untilQuiet(test, second);
  stack.failProxy("flan0");
  before();
  await untilQuiet(test, second);
  stack.delete(stack.link("flan0")!, 77);
  before();
  await untilQuiet(test, second);
  stack.delete(stack.objects.get("proxy flan0")!, 77);
  stack.delete(tunRoute, 77);
  before();
  await untilQuiet(test, second);
  kernel.heal();
  await untilQuiet(test, second);
  stop();
  return contents(kernel);
}

const undisturbed = await story(setup(crashed(), udpOwner), () => {});

Deno.test("undisturbed, the udp story ends with the plan and the host's own objects, and nothing else", () => {
  const kernel = new FakeKernel();
  for (const object of second) assert.equal(kernel.stack.add(object), undefined);
  assert.deepEqual(undisturbed, contents(kernel));
});

function same(name: string, inject: (kernel: FakeKernel) => void): void {
  Deno.test(`udp: the end state is the same when ${name}`, async () => {
    const test = setup(crashed(), udpOwner);
    assert.deepEqual(await story(test, () => inject(test.kernel)), undisturbed);
    const report = await test.reconciler.reconcile(second, { resync: true });
    assert.deepEqual([report.done, report.failures, report.conflicts], [[], [], []]);
  });
}

for (const errno of errnos) {
  for (const verb of ["add", "replace", "delete"] as Verb[]) {
    for (const kind of kinds) {
      for (const times of [1, 7]) {
        same(`${times} × ${verb} ${kind} fails with ${errno}`, (kernel) => {
          kernel.failNext(verb, errno, { kind, times });
        });
      }
    }
  }
  for (const verb of ["dump", "apply"] as Verb[]) {
    same(`${verb} fails with ${errno}`, (kernel) => kernel.failNext(verb, errno, { times: 4 }));
  }
}

Deno.test("udp: while the proxy cannot start nothing is asked of it, and the routes follow at once when it can", async () => {
  const test = setup(new FakeKernel(), udpOwner);
  test.kernel.failNext("add", "EADDRINUSE", { kind: "proxy", times: 3 });
  const { failures, state } = await test.reconciler.reconcile(first);
  assert.deepEqual(
    failures.map(({ error }) => error.errno),
    ["EADDRINUSE"],
    "one failure, and none for each route",
  );
  assert.equal(state.get("proxy flan0"), "missing");
  assert.equal(state.get("route 10.5.0.0/16 metric 0"), "ok", "the proxy is no reason not to make the route");
  const attempted = test.kernel.attempted.length;
  assert.equal(test.kernel.attempted.some(({ object }) => object.kind === "proxy-route"), false);
  const waiting = await test.reconciler.reconcile(first);
  assert.deepEqual([test.kernel.attempted.length, waiting.waiting.length > 0], [attempted, true]);
  await untilQuiet(test, first);
  assert.equal(test.kernel.stack.objects.has("proxy route 10.5.4.0/24 dev flan0"), true);
  assert.deepEqual(test.kernel.stack.objects.get("proxy route 10.5.4.0/24 dev flan0"), proxyRoute(4));
});
