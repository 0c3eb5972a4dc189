/** The kernel suite's cases about what goes away by itself when something else changes. */
import assert from "node:assert/strict";
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
} from "./kernel_objects.ts";
import type { Register } from "./kernel_suite.ts";

export function cascadeSuite(register: Register): void {
  register("a deleted link takes everything on it along", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    await succeed(kernel, remove(device(system)));
    await absent(kernel, device(system), ...onDevice);
    await succeed(kernel, add(device(system)));
    await absent(kernel, ...onDevice);
  });

  register(
    "a link set down loses routes, nexthops and neighbours, and keeps addresses and FDB",
    async (system) => {
      const kernel = system.kernel();
      await succeed(kernel, add(device(system)), ...onDevice.map(add));
      const down = { ...device(system), up: false };
      await succeed(kernel, replace(down));
      await present(kernel, down, address, fdb);
      await absent(kernel, route, plainRoute, nexthop, neighbour);
    },
  );

  register("a link set up again does not get back what it lost", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    await succeed(kernel, replace({ ...device(system), up: false }), replace(device(system)));
    await present(kernel, device(system), address, fdb);
    await absent(kernel, route, plainRoute, nexthop, neighbour);
  });

  register("a changed MAC flushes the neighbours and keeps the rest", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    const changed = { ...device(system), mac: "02:00:00:00:00:70" };
    await succeed(kernel, replace(changed));
    await absent(kernel, neighbour);
    await present(kernel, changed, address, fdb, nexthop, route, plainRoute);
  });

  register("a link replaced by its own value loses nothing", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    await succeed(kernel, replace(device(system)));
    await present(kernel, device(system), ...onDevice);
  });

  register("a deleted nexthop takes its routes along, and no others", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    await succeed(kernel, remove(nexthop));
    await absent(kernel, nexthop, route);
    await present(kernel, plainRoute, neighbour, fdb);
  });

  register("routes and nexthops on a link that is down are refused with ENETDOWN", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add({ ...device(system), up: false }));
    assert.deepEqual(await errnos(kernel, add(nexthop), add(plainRoute), add(address), add(fdb)), [
      "ENETDOWN nexthop 7001",
      "ENETDOWN route 10.5.3.0/24 metric 0",
    ]);
  });

  register("a gateway that is not on the link needs onlink", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)));
    assert.deepEqual(await errnos(kernel, add({ ...plainRoute, onlink: false })), [
      "ENETUNREACH route 10.5.3.0/24 metric 0",
    ]);
  });
}
