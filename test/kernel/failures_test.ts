/** The same story under every injected failure: the end state is the same, only the time to it differs. */
import assert from "node:assert/strict";
import type { KernelObject, Link, ObjectKind } from "../../kernel/state.ts";
import { FakeKernel, hostStack, type Verb } from "../lib/fake_kernel.ts";
import { lease, macOf, planned } from "../lib/overlay.ts";
import { contents, type Setup, setup, untilQuiet } from "../lib/reconciling.ts";

const kinds: readonly ObjectKind[] = [
  "link",
  "sysctl",
  "address",
  "nexthop",
  "neighbour",
  "fdb",
  "route",
];
const errnos = ["EEXIST", "ENODEV", "ENETDOWN", "ENOBUFS", "EBUSY", "EINTR", "EPERM"];

const sysctl: KernelObject = { kind: "sysctl", name: "net/ipv4/neigh/flan.1/app_solicit", value: "3" };
const first = [...planned([2, 3, 4]), sysctl];
const moved = lease(3, { publicIp: "192.0.2.33", backendData: { VNI: 1, VtepMAC: macOf(33) } });
const second = [...planned([2, moved, 5]), { ...sysctl, value: "1" }];

/** What a crashed run left: a device with other parameters under our name, another one of ours, and a stale peer. */
function crashed(): FakeKernel {
  const stack = hostStack();
  const link = first[0] as Link;
  stack.add({ ...link, vxlan: { ...link.vxlan!, port: 4789 } });
  for (const object of planned([9]).slice(1)) stack.add(object);
  stack.add({ ...link, name: "flan.8", vxlan: { ...link.vxlan!, vni: 8 } });
  return new FakeKernel(stack);
}

/** Start after a crash, a changed view, damage by others, and a look. `before` runs before each step. */
async function story(test: Setup, before: () => void): Promise<KernelObject[]> {
  const { kernel, reconciler } = test;
  before();
  await untilQuiet(test, first);
  before();
  await untilQuiet(test, second);
  const link = kernel.stack.link("flan.1")!;
  kernel.stack.replace({ ...link, mtu: 1300, mac: macOf(77) });
  for (const object of second.filter(({ kind }) => kind === "nexthop" || kind === "fdb")) {
    kernel.stack.delete(object);
  }
  kernel.stack.overrun();
  reconciler.note({ group: "overrun", action: "new", own: false, port: 0 });
  before();
  await untilQuiet(test, second);
  kernel.heal();
  await untilQuiet(test, second);
  return contents(kernel);
}

const undisturbed = await story(setup(crashed()), () => {});

Deno.test("undisturbed, the story ends with the plan and the host's own objects, and nothing else", () => {
  const kernel = new FakeKernel();
  for (const object of second) kernel.stack.add(object);
  assert.deepEqual(undisturbed, contents(kernel));
});

function same(name: string, inject: (kernel: FakeKernel) => void): void {
  Deno.test(`the end state is the same when ${name}`, async () => {
    const test = setup(crashed());
    const end = await story(test, () => inject(test.kernel));
    assert.deepEqual(end, undisturbed);
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
