/** The kernel suite's cases about `apply`: exclusive adds, replacement, removal, order and failures. */
import assert from "node:assert/strict";
import { KernelError } from "../../net/errors.ts";
import type { KernelObject } from "../../kernel/state.ts";
import {
  absent,
  add,
  address,
  device,
  errnos,
  fdb,
  neighbour,
  nexthop,
  onDevice,
  plainRoute,
  present,
  remove,
  replace,
  route,
  succeed,
  sysctl,
  unreachable,
} from "./kernel_objects.ts";
import type { Register } from "./kernel_suite.ts";

export function applySuite(register: Register): void {
  register("what was added stands in the dump as it was given", async (system) => {
    const kernel = system.kernel();
    const all = [device(system), ...onDevice, unreachable];
    await succeed(kernel, ...all.map(add));
    await present(kernel, ...all);
  });

  register("adding is exclusive: EEXIST, and the first value stays", async (system) => {
    const kernel = system.kernel();
    const link = device(system);
    const first: KernelObject[] = [link, ...onDevice];
    await succeed(kernel, ...first.map(add));
    const second: KernelObject[] = [
      { ...link, mtu: 1300, alias: "other" },
      address,
      { ...nexthop, gateway: "10.5.9.0" },
      { ...neighbour, mac: "02:00:00:00:00:09" },
      { ...fdb, remote: "192.0.2.9" },
      { ...route, nexthop: 0, gateway: "10.5.9.0" },
      { ...plainRoute, gateway: "10.5.9.0" },
    ];
    const failures = await kernel.apply(second.map(add));
    assert.deepEqual(failures.map((failure) => failure.error.errno), second.map(() => "EEXIST"));
    assert.deepEqual(failures.map((failure) => failure.change.object), second);
    await present(kernel, ...first);
  });

  register("replacing makes what is not there and overwrites what is", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, replace(device(system)), ...onDevice.map(replace));
    await present(kernel, device(system), ...onDevice);
    const changed: KernelObject[] = [
      { ...neighbour, mac: "02:00:00:00:00:09" },
      { ...fdb, remote: "192.0.2.9" },
      { ...plainRoute, gateway: "10.5.9.0" },
    ];
    await succeed(kernel, ...changed.map(replace));
    await present(kernel, ...changed, address, nexthop, route);
  });

  register("a replaced nexthop moves the routes that use it", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(nexthop), add(route));
    await succeed(kernel, replace({ ...nexthop, gateway: "10.5.9.0" }));
    await present(kernel, { ...nexthop, gateway: "10.5.9.0" }, { ...route, gateway: "10.5.9.0" });
  });

  register("a link changes MTU and alias in place and keeps what is on it", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    const changed = { ...device(system), mtu: 1400, alias: "flan again" };
    await succeed(kernel, replace(changed));
    await present(kernel, changed, ...onDevice);
  });

  register("deleting twice is no failure, for every kind", async (system) => {
    const kernel = system.kernel();
    const all = [device(system), ...onDevice, unreachable];
    await succeed(kernel, ...all.map(add));
    const backwards = all.toReversed().map(remove);
    await succeed(kernel, ...backwards);
    await absent(kernel, ...all);
    await succeed(kernel, ...backwards);
  });

  register(
    "objects on a link that is missing fail with ENODEV, and deleting them is no failure",
    async (system) => {
      const kernel = system.kernel();
      const on = [address, nexthop, neighbour, fdb, plainRoute];
      const failures = await kernel.apply(on.map(add));
      assert.deepEqual(failures.map((failure) => failure.error.errno), on.map(() => "ENODEV"));
      await succeed(kernel, ...on.map(remove));
    },
  );

  register("a failure does not stop the changes after it", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)));
    const failed = await errnos(
      kernel,
      add(address),
      add({ ...route, nexthop: 4242 }),
      add(neighbour),
      add(neighbour),
      add(plainRoute),
    );
    assert.deepEqual(failed, ["EINVAL route 10.5.2.0/24 metric 0", "EEXIST neighbour 10.5.2.0 dev flan.7"]);
    await present(kernel, address, neighbour, plainRoute);
    await absent(kernel, route);
  });

  register("changes are carried out in the order given", async (system) => {
    const kernel = system.kernel();
    await succeed(
      kernel,
      add(device(system)),
      add(neighbour),
      remove(neighbour),
      add({ ...neighbour, mac: "02:00:00:00:00:08" }),
      remove(device(system)),
      add({ ...device(system), mtu: 1300 }),
      add(plainRoute),
    );
    await present(kernel, { ...device(system), mtu: 1300 }, plainRoute);
    await absent(kernel, neighbour);
  });

  register("a failure names the object, the errno and what was attempted", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(plainRoute));
    const [failure] = await kernel.apply([add(plainRoute)]);
    assert.ok(failure!.error instanceof KernelError);
    assert.match(failure!.error.message, /^Cannot add route 10\.5\.3\.0\/24 via 10\.5\.3\.0 dev flan\.7: /);
    assert.match(failure!.error.message, /\(EEXIST\)$/);
    assert.equal(failure!.error.op, "kernel.apply");
  });

  register("routes that differ in metric live side by side", async (system) => {
    const kernel = system.kernel();
    const second = { ...plainRoute, metric: 50, gateway: "10.5.9.0" };
    await succeed(kernel, add(device(system)), add(plainRoute), add(second));
    await present(kernel, plainRoute, second);
    await succeed(kernel, remove(second));
    await present(kernel, plainRoute);
    await absent(kernel, second);
  });

  register("deleting a route leaves another protocol's route of the same key alone", async (system) => {
    const kernel = system.kernel();
    const foreign = { ...plainRoute, protocol: 4 };
    await succeed(kernel, add(device(system)), add(foreign));
    await succeed(kernel, remove(plainRoute));
    await present(kernel, foreign);
  });

  register("a sysctl is written, read back, and gone with its link", async (system) => {
    const kernel = system.kernel();
    assert.deepEqual(await errnos(kernel, replace(sysctl)), [`ENOENT sysctl ${sysctl.name}`]);
    await succeed(kernel, add(device(system)), replace(sysctl));
    await present(kernel, sysctl);
    await succeed(kernel, remove(device(system)));
    await absent(kernel, sysctl);
  });

  register("an empty list of changes is done", async (system) => {
    assert.deepEqual(await system.kernel().apply([]), []);
  });
}
