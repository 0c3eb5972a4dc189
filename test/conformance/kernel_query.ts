/** The kernel suite's cases about `dump` and `routeGet`. */
import assert from "node:assert/strict";
import { MAIN_TABLE } from "../../kernel/kernel.ts";
import { KernelError } from "../../net/errors.ts";
import {
  add,
  address,
  DEVICE,
  device,
  fdb,
  neighbour,
  nexthop,
  plainRoute,
  route,
  succeed,
  sysctl,
  unreachable,
} from "./kernel_objects.ts";
import type { Register } from "./kernel_suite.ts";

export function querySuite(register: Register): void {
  register("the dump holds every link and address, of whoever made them", async (system) => {
    const objects = await system.kernel().dump({ links: [], sysctls: [] });
    const links = objects.flatMap((object) => object.kind === "link" ? [object.name] : []);
    assert.ok(links.includes("lo"));
    assert.ok(links.includes(system.underlay));
    const addresses = objects.filter((object) =>
      object.kind === "address" && object.link === system.underlay && !object.address.includes(":")
    );
    assert.deepEqual(addresses, [{ kind: "address", link: system.underlay, address: "192.0.2.1/24" }]);
  });

  register("the dump holds the kernel's own route to the underlay's network", async (system) => {
    const objects = await system.kernel().dump({ links: [], sysctls: [] });
    const routes = objects.filter((object) =>
      object.kind === "route" && object.destination === "192.0.2.0/24"
    );
    assert.deepEqual(routes, [{
      kind: "route",
      destination: "192.0.2.0/24",
      metric: 0,
      link: system.underlay,
      gateway: "",
      onlink: false,
      nexthop: 0,
      type: "unicast",
      protocol: 2,
    }]);
  });

  register("a dump of links only has no routes, and everything else that was asked for", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(neighbour), add(fdb), add(nexthop), add(route));
    const request = { links: [DEVICE], sysctls: [`net/ipv4/neigh/${DEVICE}/app_solicit`] };
    const kindsOf = async (more: { linksOnly?: true }) =>
      new Set((await kernel.dump({ ...request, ...more })).map(({ kind }) => kind));
    const few = await kindsOf({ linksOnly: true });
    assert.deepEqual([...await kindsOf({})].filter((kind) => !few.has(kind)).sort(), ["nexthop", "route"]);
  });

  register("neighbours and FDB entries are read for the named links only", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(neighbour), add(fdb));
    const kinds = async (links: string[]) => {
      const objects = await kernel.dump({ links, sysctls: [] });
      return objects.flatMap((object) =>
        (object.kind === "neighbour" && object.ip === neighbour.ip) || object.kind === "fdb"
          ? [object.kind]
          : []
      );
    };
    assert.deepEqual((await kinds([DEVICE])).toSorted(), ["fdb", "neighbour"]);
    assert.deepEqual(await kinds([system.underlay]), []);
    assert.deepEqual(await kinds([]), []);
  });

  register("links and sysctls that do not exist are left out of the dump", async (system) => {
    const objects = await system.kernel().dump({ links: ["missing0"], sysctls: [sysctl.name] });
    assert.equal(objects.some((object) => object.kind === "sysctl"), false);
    assert.equal(objects.some((object) => object.kind === "neighbour"), false);
  });

  register("a route look-up names link, source and no gateway for an address on the link", async (system) => {
    assert.deepEqual(await system.kernel().routeGet("192.0.2.77"), {
      link: system.underlay,
      gateway: "",
      source: "192.0.2.1",
      mtu: 0,
    });
  });

  register("a route look-up takes the longest prefix and names the gateway", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(address), add(unreachable), add(plainRoute));
    const answer = await kernel.routeGet("10.5.3.9");
    assert.equal(answer.link, DEVICE);
    assert.equal(answer.gateway, "10.5.3.0");
    assert.equal(answer.source, "10.5.1.0");
  });

  register("a route look-up is of packets that go as the query says", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(address), add(plainRoute));
    assert.equal((await kernel.routeGet("10.5.3.9", { source: "192.0.2.1" })).source, "192.0.2.1");
    assert.equal((await kernel.routeGet("10.5.3.9", { outgoing: DEVICE })).link, DEVICE);
    await assert.rejects(kernel.routeGet("198.51.100.1", { source: "192.0.2.1" }), { errno: "ENETUNREACH" });
  });

  register("a route look-up that leads nowhere throws the kernel's errno", async (system) => {
    const kernel = system.kernel();
    const isErrno = (errno: string) => (error: unknown) =>
      error instanceof KernelError && error.errno === errno;
    await assert.rejects(kernel.routeGet("198.51.100.1"), isErrno("ENETUNREACH"));
    await succeed(kernel, add(unreachable));
    await assert.rejects(kernel.routeGet("10.5.200.1"), isErrno("EHOSTUNREACH"));
  });

  register("a route match is the entry that decides, the longest prefix", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(address), add(unreachable), add(plainRoute));
    assert.deepEqual(await kernel.routeMatch("10.5.3.9"), { route: plainRoute, table: MAIN_TABLE });
    const { route: near } = await kernel.routeMatch("192.0.2.77");
    assert.deepEqual([near.destination, near.link, near.gateway], ["192.0.2.0/24", system.underlay, ""]);
  });

  register("a route match of a route with a nexthop object names the object", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)), add(address), add(nexthop), add(route));
    assert.deepEqual((await kernel.routeMatch("10.5.2.1")).route, route);
  });

  register("a route match that leads nowhere throws the kernel's errno", async (system) => {
    const kernel = system.kernel();
    const isErrno = (errno: string) => (error: unknown) =>
      error instanceof KernelError && error.errno === errno;
    await assert.rejects(kernel.routeMatch("198.51.100.1"), isErrno("ENETUNREACH"));
    await succeed(kernel, add(device(system)), add(address), add(plainRoute), add(unreachable));
    await assert.rejects(kernel.routeMatch("10.5.200.1"), isErrno("EHOSTUNREACH"));
    const over = (outgoing: string) => kernel.routeMatch("10.5.3.9", { outgoing });
    assert.deepEqual((await over(DEVICE)).route, plainRoute);
    await assert.rejects(over(system.underlay), isErrno("EHOSTUNREACH"));
  });
}
