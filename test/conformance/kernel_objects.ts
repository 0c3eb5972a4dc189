/** The objects and short cuts that the kernel suite works with. */
import assert from "node:assert/strict";
import type { Change, Kernel } from "../../kernel/kernel.ts";
import {
  type Address,
  type FdbEntry,
  type KernelObject,
  keyOf,
  type Link,
  type Neighbour,
  type Nexthop,
  type Route,
  ROUTE_PROTOCOL,
  type Sysctl,
} from "../../kernel/state.ts";
import type { KernelSystem } from "./kernel_suite.ts";

/** The device of the suite. */
export const DEVICE = "flan.7";

/** A VXLAN device on the system's underlay. */
export function device(system: KernelSystem): Link {
  return {
    kind: "link",
    name: DEVICE,
    type: "vxlan",
    alias: "flan vxlan",
    mac: "02:00:00:00:00:07",
    mtu: 1450,
    up: true,
    vxlan: {
      vni: 7,
      port: 8472,
      local: "192.0.2.1",
      parent: system.underlay,
      learning: false,
      gbp: false,
    },
  };
}

export const address: Address = { kind: "address", link: DEVICE, address: "10.5.1.0/32" };

export const nexthop: Nexthop = {
  kind: "nexthop",
  id: 7001,
  gateway: "10.5.2.0",
  link: DEVICE,
  onlink: true,
  protocol: ROUTE_PROTOCOL,
};

export const neighbour: Neighbour = {
  kind: "neighbour",
  link: DEVICE,
  ip: "10.5.2.0",
  mac: "02:00:00:00:00:02",
  state: "permanent",
  protocol: ROUTE_PROTOCOL,
};

export const fdb: FdbEntry = { kind: "fdb", link: DEVICE, mac: "02:00:00:00:00:02", remote: "192.0.2.2" };

/** A route through {@link nexthop}. */
export const route: Route = {
  kind: "route",
  destination: "10.5.2.0/24",
  metric: 0,
  link: DEVICE,
  gateway: "10.5.2.0",
  onlink: true,
  nexthop: 7001,
  type: "unicast",
  protocol: ROUTE_PROTOCOL,
};

/** A route that carries its gateway itself. */
export const plainRoute: Route = {
  ...route,
  destination: "10.5.3.0/24",
  gateway: "10.5.3.0",
  nexthop: 0,
};

/** A route to nowhere. */
export const unreachable: Route = {
  ...route,
  destination: "10.5.0.0/16",
  metric: 4294967295,
  link: "",
  gateway: "",
  onlink: false,
  nexthop: 0,
  type: "unreachable",
};

export const sysctl: Sysctl = {
  kind: "sysctl",
  name: `net/ipv4/neigh/${DEVICE}/app_solicit`,
  value: "3",
};

/** Everything that lives on the device, in the order in which it is made. */
export const onDevice: readonly KernelObject[] = [address, nexthop, neighbour, fdb, route, plainRoute];

export const add = (object: KernelObject): Change => ({ verb: "add", object });
export const replace = (object: KernelObject): Change => ({ verb: "replace", object });
export const remove = (object: KernelObject): Change => ({ verb: "delete", object });

/** Applies and insists that nothing failed. */
export async function succeed(kernel: Kernel, ...changes: Change[]): Promise<void> {
  const failures = await kernel.apply(changes);
  assert.deepEqual(failures.map((failure) => failure.error.message), []);
}

/** Applies and returns the errno names of the failures, with the key of what failed. */
export async function errnos(kernel: Kernel, ...changes: Change[]): Promise<string[]> {
  const failures = await kernel.apply(changes);
  return failures.map(({ change, error }) => `${error.errno} ${keyOf(change.object)}`);
}

/** What stands under the key of `object`, or undefined. */
export async function find(kernel: Kernel, object: KernelObject): Promise<KernelObject | undefined> {
  const objects = await kernel.dump({ links: [DEVICE], sysctls: [sysctl.name] });
  const key = keyOf(object);
  const found = objects.filter((candidate) => keyOf(candidate) === key);
  assert.ok(found.length <= 1, `${key} stands ${found.length} times in the dump`);
  return found[0];
}

/** Insists that each object stands in the kernel exactly so. */
export async function present(kernel: Kernel, ...objects: KernelObject[]): Promise<void> {
  for (const object of objects) assert.deepEqual(await find(kernel, object), object);
}

/** Insists that nothing stands under the objects' keys. */
export async function absent(kernel: Kernel, ...objects: KernelObject[]): Promise<void> {
  for (const object of objects) assert.equal(await find(kernel, object), undefined);
}
