/** The kernel suite's cases about TUN links. Nobody reads their queues here, so they have no carrier. */
import assert from "node:assert/strict";
import type { Address, Link, Route } from "../../kernel/state.ts";
import { until } from "./kernel_events.ts";
import { absent, add, errnos, plainRoute, present, remove, replace, succeed } from "./kernel_objects.ts";
import type { Register } from "./kernel_suite.ts";

export const TUN = "flan0";

export const tunDevice: Link = {
  kind: "link",
  name: TUN,
  type: "tun",
  alias: "flan udp",
  mac: "",
  mtu: 1472,
  up: true,
  tun: { multiQueue: false, queueLength: 1000 },
};

export const tunAddress: Address = { kind: "address", link: TUN, address: "10.5.1.0/32" };

/** The whole network into the TUN. */
export const tunRoute: Route = {
  ...plainRoute,
  destination: "10.5.0.0/16",
  link: TUN,
  gateway: "",
  onlink: false,
};

const all = [tunDevice, tunAddress, tunRoute] as const;
const several: Link = { ...tunDevice, tun: { multiQueue: true, queueLength: 4000 } };

export function tunSuite(register: Register): void {
  register("a TUN link stands in the dump as it was given, with what is on it", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, ...all.map(add));
    await present(kernel, ...all);
    await succeed(kernel, remove(tunDevice));
    await absent(kernel, ...all);
  });

  register("a TUN link with several queues, and one that is down, are made like others", async (system) => {
    const kernel = system.kernel();
    const down: Link = { ...tunDevice, name: "flan1", up: false };
    await succeed(kernel, add(several), add(down));
    await present(kernel, several, down);
    await succeed(kernel, remove(several), add(tunDevice));
    await present(kernel, tunDevice, down);
  });

  register("adding a TUN link is exclusive, whatever has the name", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, ...all.map(add));
    const taken: Link = { ...tunDevice, name: system.underlay };
    const changed: Link = { ...tunDevice, mtu: 1300, alias: "other" };
    assert.deepEqual(await errnos(system.kernel(), add(changed), add(several), add(taken)), [
      `EEXIST link ${TUN}`,
      `EEXIST link ${TUN}`,
      `EEXIST link ${system.underlay}`,
    ]);
    await present(kernel, ...all);
  });

  register("a TUN link is made by a replacement, and changes in place", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, replace(tunDevice), add(tunAddress), add(tunRoute));
    const changes: Partial<Link>[] = [
      { mtu: 1400 },
      { alias: "flan again" },
      { tun: { multiQueue: false, queueLength: 4000 } },
      { mtu: 1472, alias: "", tun: { multiQueue: false, queueLength: 0 } },
      {},
    ];
    for (const change of changes) {
      const changed = { ...tunDevice, ...change };
      await succeed(kernel, replace(changed));
      await present(kernel, changed, tunAddress, tunRoute);
    }
  });

  register("a TUN link set down and up again keeps its address and loses its routes", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, ...all.map(add));
    const down = { ...tunDevice, up: false };
    await succeed(kernel, replace(down));
    await present(kernel, down, tunAddress);
    await absent(kernel, tunRoute);
    assert.deepEqual(await errnos(kernel, add(tunRoute)), ["ENETDOWN route 10.5.0.0/16 metric 0"]);
    await succeed(kernel, replace(tunDevice));
    await present(kernel, tunDevice, tunAddress);
    await absent(kernel, tunRoute);
  });

  register("the last address of a TUN link takes its routes along", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, ...all.map(add), remove(tunAddress));
    await present(kernel, tunDevice);
    await absent(kernel, tunAddress, tunRoute);
  });

  register("deleting a TUN link twice is no failure, and it can be made again", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, remove(tunDevice), add(tunDevice), remove(tunDevice), remove(tunDevice));
    await absent(kernel, tunDevice);
    await succeed(kernel, add(several), add(tunAddress), add(tunRoute));
    await present(kernel, several, tunAddress, tunRoute);
  });

  register("a TUN link that comes and goes is announced by name", async (system) => {
    const kernel = system.kernel();
    const stop = new AbortController();
    const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
    await succeed(system.kernel(), add(tunDevice), remove(tunDevice));
    for (const action of ["new", "delete"]) {
      const event = await until(events, (event) => event.group === "link" && event.action === action);
      assert.deepEqual([event.link, event.own], [TUN, false]);
    }
    stop.abort();
    await events.return?.();
  });

  register("a host that has TUN devices is found to have them", async (system) => {
    await system.kernel().require([]);
    await system.kernel().require(["tun"]);
  });
}
