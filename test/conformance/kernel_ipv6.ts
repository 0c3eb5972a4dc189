/** The kernel suite's cases about IPv6 where it is another than IPv4. */
import assert from "node:assert/strict";
import type { Kernel } from "../../kernel/kernel.ts";
import {
  type Address,
  type FdbEntry,
  type KernelObject,
  keyOf,
  LAST_METRIC,
  type Link,
  type Neighbour,
  type Route,
  ROUTE_PROTOCOL,
} from "../../kernel/state.ts";
import {
  absent as absent4,
  add,
  address as address4,
  device as device4,
  errnos,
  neighbour as neighbour4,
  plainRoute as plainRoute4,
  present as present4,
  remove,
  replace,
  succeed,
} from "./kernel_objects.ts";
import type { KernelSystem, Register } from "./kernel_suite.ts";

const DEVICE = "flan-v6.7";

function device(system: KernelSystem): Link {
  const { vxlan, ...link } = device4(system);
  return { ...link, name: DEVICE, mtu: 1430, vxlan: { ...vxlan!, local: "2001:db8::1" } };
}

const address: Address = { kind: "address", link: DEVICE, address: "fd00:5:1::/128" };
const entry: FdbEntry = { kind: "fdb", link: DEVICE, mac: "02:00:00:00:00:02", remote: "2001:db8::2" };
const neighbour: Neighbour = {
  kind: "neighbour",
  link: DEVICE,
  ip: "fe80:5:2::",
  mac: "02:00:00:00:00:02",
  state: "permanent",
  protocol: ROUTE_PROTOCOL,
};
const route: Route = {
  kind: "route",
  destination: "fd00:5:2::/64",
  metric: 1024,
  link: DEVICE,
  gateway: "fe80:5:2::",
  onlink: false,
  nexthop: 0,
  type: "unicast",
  protocol: ROUTE_PROTOCOL,
};
const onDevice: readonly KernelObject[] = [address, entry, neighbour, route];
const unreachable: Route = {
  ...route,
  destination: "fd00:5::/32",
  metric: LAST_METRIC,
  link: "",
  gateway: "",
  type: "unreachable",
};

async function present(kernel: Kernel, ...objects: KernelObject[]): Promise<void> {
  const found = await kernel.dump({ links: [DEVICE], sysctls: [] });
  for (const object of objects) {
    assert.deepEqual(found.filter((one) => keyOf(one) === keyOf(object)), [object]);
  }
}

async function absent(kernel: Kernel, ...objects: KernelObject[]): Promise<void> {
  const found = new Set((await kernel.dump({ links: [DEVICE], sysctls: [] })).map(keyOf));
  for (const object of objects) assert.ok(!found.has(keyOf(object)), keyOf(object));
}

export function ipv6Suite(register: Register): void {
  register("IPv6: the kernel says by which route and over which link a packet goes", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    assert.deepEqual(await kernel.routeMatch("fd00:5:2::7"), { route, table: 254 });
    const { link, gateway, source } = await kernel.routeGet("fd00:5:2::7");
    assert.deepEqual([link, gateway, source], [DEVICE, "fe80:5:2::", "fd00:5:1::"]);
    await assert.rejects(kernel.routeMatch("fd00:9::1"), { errno: "ENETUNREACH" });
  });

  register("IPv6: what was added stands in the dump as it was given, exclusively", async (system) => {
    const kernel = system.kernel();
    const all = [device(system), ...onDevice];
    await succeed(kernel, ...all.map(add));
    await present(kernel, ...all);
    const again = [{ ...route, gateway: "fe80::9" }, { ...neighbour, mac: "02:00:00:00:00:09" }, address];
    assert.deepEqual(await errnos(kernel, ...again.map(add)), again.map((one) => `EEXIST ${keyOf(one)}`));
    await present(kernel, ...all);
    await succeed(kernel, ...all.toReversed().map(remove), ...onDevice.map(remove));
    await absent(kernel, ...all);
  });

  register(
    "IPv6: an unreachable route is on no link, goes with none, and is removed by itself",
    async (system) => {
      const kernel = system.kernel();
      const link = device(system);
      await succeed(kernel, add(unreachable), add(link));
      await present(kernel, unreachable);
      await assert.rejects(kernel.routeGet("fd00:5:2::7"), { errno: "EHOSTUNREACH" });
      await succeed(kernel, remove(link));
      await present(kernel, unreachable);
      await succeed(kernel, remove(unreachable));
      await absent(kernel, unreachable);
    },
  );

  register("IPv6: a route is replaced in place, and is the only one", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    const elsewhere = { ...route, link: system.underlay, gateway: "fe80::9" };
    await succeed(kernel, replace(elsewhere));
    await present(kernel, elsewhere);
    await succeed(kernel, replace(route));
    await present(kernel, route);
  });

  register(
    "IPv6: a gateway to which a route leads elsewhere is refused, and a link-local one never",
    async (system) => {
      const kernel = system.kernel();
      const direct = { ...route, link: system.underlay, gateway: "fe80::9" };
      await succeed(kernel, add(device(system)), add(direct));
      const within = { ...route, gateway: "fd00:5:2::", onlink: true };
      assert.deepEqual(await errnos(kernel, replace(within)), [`EINVAL ${keyOf(route)}`]);
      assert.deepEqual(await errnos(kernel, replace({ ...within, gateway: "fd00:9::", onlink: false })), [
        `EHOSTUNREACH ${keyOf(route)}`,
      ]);
      await succeed(kernel, replace(route));
    },
  );

  register("IPv6: a link set down loses addresses, too, and none come back", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    await succeed(kernel, replace({ ...device(system), up: false }));
    await absent(kernel, address, neighbour, route);
    await succeed(kernel, replace(device(system)));
    await absent(kernel, address, neighbour, route);
    await present(kernel, device(system), entry);
  });

  register("IPv6: a changed MAC flushes the neighbours and keeps the rest", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), ...onDevice.map(add));
    const changed = { ...device(system), mac: "02:00:00:00:00:70" };
    await succeed(kernel, replace(changed));
    await absent(kernel, neighbour);
    await present(kernel, changed, address, entry, route);
  });

  register(
    "IPv6: devices of both families have one VNI on one port, and two of one family not",
    async (system) => {
      const kernel = system.kernel();
      await succeed(kernel, add(device4(system)), add(device(system)));
      const second = { ...device(system), name: "flan-v6.8", mac: "02:00:00:00:00:08" };
      assert.deepEqual(await errnos(kernel, add(second)), ["EEXIST link flan-v6.8"]);
    },
  );

  register("IPv6: the last address of either family takes along what is IPv4's", async (system) => {
    const kernel = system.kernel();
    const second: Route = { ...route, destination: "fd00:5:9::/64", link: device4(system).name };
    await succeed(kernel, add(device4(system)), ...[address4, neighbour4, plainRoute4, second].map(add));
    await succeed(kernel, remove(address4));
    await absent4(kernel, neighbour4, plainRoute4);
    await present4(kernel, second);
    await succeed(kernel, add(device(system)), ...onDevice.map(add), remove(address));
    await present(kernel, entry, neighbour, route);
  });
}
