/** The kernel with its proxy: what a dump says, and what an apply does. */
import assert from "node:assert/strict";
import { type KernelObject, keyOf, type Proxy } from "../../kernel/state.ts";
import { FlanError } from "../../net/errors.ts";
import { settings } from "../lib/served_proxy.ts";

import { add, everything, link, remove, route, test, wanted } from "../lib/proxied.ts";

test("where no proxy runs the dump is the kernel's own", async ({ kernel, inner }) => {
  assert.deepEqual(await kernel.dump(everything), await inner.dump(everything));
});

test("adding a proxy starts a process and tells it; routes, dump and removal follow", async (setup) => {
  const { kernel } = setup;
  const objects = [wanted, route(1), route(2)];
  assert.deepEqual(await kernel.apply(objects.map(add)), []);
  assert.equal(setup.spawned, 1);
  assert.deepEqual(await setup.proxyObjects(), objects);
  assert.deepEqual(
    await kernel.apply([remove(route(1)), add(route(2))]),
    [],
    "a route that is there may be added",
  );
  assert.deepEqual(await setup.proxyObjects(), [wanted, route(2)]);
  assert.deepEqual(await kernel.apply([remove(wanted)]), []);
  await setup.proxy.ended;
  assert.deepEqual(await setup.proxyObjects(), []);
  assert.deepEqual(
    await kernel.apply([remove(wanted), remove(route(2))]),
    [],
    "what is not there is removed",
  );
});

test("one that runs is told and not started again, whoever started it and whatever its version", async (setup) => {
  const other = setup.startProxy();
  assert.deepEqual((await setup.proxyObjects()).map((one) => (one as Proxy).carrying), [false]);
  assert.deepEqual(await setup.kernel.apply([add(wanted)]), []);
  assert.equal(setup.spawned, 0);
  assert.deepEqual(other.plane.last.settings, settings);
  const next = setup.open();
  assert.deepEqual(await setup.proxyObjects(next), [wanted], "an agent that starts again finds it");
});

test("a proxy that nobody told anything is removed where none is wanted, and left where one is made", async (setup) => {
  setup.startProxy();
  const [idle] = await setup.proxyObjects();
  assert.equal(keyOf(idle!), "proxy ");
  assert.deepEqual(await setup.kernel.apply([add(wanted), remove(idle!)]), []);
  assert.deepEqual(await setup.proxyObjects(), [wanted]);
  await setup.kernel.apply([remove(wanted)]);
  setup.startProxy();
  await setup.kernel.apply([remove((await setup.proxyObjects())[0]!)]);
  assert.deepEqual(await setup.proxyObjects(), []);
});

test("10,000 routes are a handful of requests, and a change of one is one", async (setup) => {
  const objects = [wanted, ...Array.from({ length: 10_000 }, (_, i) => route(i))];
  assert.deepEqual(await setup.kernel.apply(objects.map(add)), []);
  assert.ok(setup.proxy.asked.length <= 5, setup.proxy.asked.join());
  assert.equal(setup.proxy.plane.last.ways.size, 10_000);
  const before = setup.proxy.asked.length;
  await setup.kernel.apply([remove(route(7)), add(route(10_000)), add({ ...route(8), remote: "192.0.2.9" })]);
  assert.equal(setup.proxy.asked.length, before + 1);
  assert.equal(setup.proxy.plane.last.ways.get(route(8).destination)![1], "192.0.2.9");
});

test("a route that is put and then removed in one apply is gone, and the other way round it is there", async (setup) => {
  await setup.kernel.apply([
    add(wanted),
    add(route(1)),
    remove(route(1)),
    add(route(2)),
    remove(route(2)),
    add(route(2)),
  ]);
  assert.deepEqual(await setup.proxyObjects(), [wanted, route(2)]);
});

test("the order of an apply is kept across the kernel and the proxy", async (setup) => {
  const seen: string[] = [];
  const { inner } = setup;
  const own = inner.apply.bind(inner);
  inner.apply = (changes) => {
    seen.push(
      ...changes.map(({ object }) => `${object.kind} after ${setup.proxies.at(-1)?.asked.length ?? 0}`),
    );
    return own(changes);
  };
  const plain: KernelObject = {
    kind: "route",
    destination: "10.5.0.0/16",
    metric: 0,
    link: "flan0",
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: 113,
  };
  await setup.kernel.apply([
    add(link),
    add(wanted),
    add(route(1)),
    add(plain),
    remove(route(1)),
    remove(plain),
  ]);
  assert.deepEqual(seen, ["link after 0", "route after 2", "route after 3"]);
});

test("what cannot be started is one sentence for the proxy and all its routes, and the rest is done", async (setup) => {
  const message = "Cannot start the UDP proxy at 192.0.2.1:8285: Address already in use (EADDRINUSE)";
  setup.startProxy().plane.failNext(message, "EADDRINUSE");
  const failures = await setup.kernel.apply([add(link), add(wanted), add(route(1)), add(route(2))]);
  assert.deepEqual(
    failures.map(({ change }) => keyOf(change.object)),
    [wanted, route(1), route(2)].map(keyOf),
  );
  assert.deepEqual([...new Set(failures.map(({ error }) => error.message))], [message]);
  assert.equal(failures[0]!.error.errno, "EADDRINUSE");
  assert.deepEqual(await setup.proxyObjects(), [{ ...wanted, carrying: false }]);
  assert.ok((await setup.kernel.dump(everything)).some((object) => keyOf(object) === "link flan0"));
  assert.deepEqual(await setup.kernel.apply([{ verb: "replace", object: wanted }]), []);
});

test("a process that was started for this and cannot be told is stopped again", async (setup) => {
  const message = "Cannot start the UDP proxy at 192.0.2.1:8285: Address already in use (EADDRINUSE)";
  setup.failNext = [message, "EADDRINUSE"];
  const [failure] = await setup.kernel.apply([add(wanted)]);
  assert.equal(failure!.error.message, message);
  assert.equal(failure!.error.hint, "ss -ulpn 'sport = :8285' shows who has it");
  await setup.proxy.ended;
  assert.deepEqual(await setup.proxyObjects(), []);
});

test("a process that does not start says why, with its hint and code", async (setup) => {
  setup.spawnError = new FlanError("Cannot open library libflan_proxy (tried x): no such file", {
    op: "ffi.open",
    code: "unsupported",
    hint: "deno task build",
  });
  const [failure] = await setup.kernel.apply([add(wanted)]);
  const { message, code, hint } = failure!.error;
  assert.equal(
    message,
    "Cannot start the UDP proxy at 192.0.2.1:8285: Cannot open library libflan_proxy (tried x): no such file",
  );
  assert.deepEqual([code, hint], ["unsupported", "deno task build"]);
});

test("bad routes fail alone, each by its own name, and all others are there", async (setup) => {
  const bad = [7, 900].map((n) => ({ ...route(n), remote: "255.255.255.255" }));
  const good = Array.from({ length: 1000 }, (_, i) => route(i)).filter((one) =>
    bad.every((other) => other.destination !== one.destination)
  );
  const all = [...good.slice(0, 500), bad[0]!, ...good.slice(500), bad[1]!];
  const failures = await setup.kernel.apply([add(wanted), ...all.map(add)]);
  assert.deepEqual(failures.map(({ change }) => change.object), bad);
  for (const [i, { error }] of failures.entries()) {
    assert.match(
      error.message,
      new RegExp(`^Cannot add proxy route ${bad[i]!.destination} to 255.* refused: `),
    );
    assert.equal(error.errno, "");
  }
  assert.equal(setup.proxy.plane.last.ways.size, good.length);
  assert.ok(setup.proxy.asked.length < 60, `${setup.proxy.asked.length} requests`);
});

test("where every route is refused that takes no endless requests, and each has its own failure", async (setup) => {
  const bad = Array.from({ length: 5000 }, (_, i) => ({ ...route(i), remote: "0.0.0.0" }));
  const failures = await setup.kernel.apply([add(wanted), ...bad.map(add)]);
  assert.deepEqual(failures.map(({ change }) => change.object), bad);
  assert.equal(new Set(failures.map(({ error }) => error.message.split(" refused: ")[0])).size, bad.length);
  assert.ok(setup.proxy.asked.length < 300, `${setup.proxy.asked.length} requests`);
});

test("routes for a proxy that does not run fail, and none is started for them", async (setup) => {
  const failures = await setup.kernel.apply([add(route(1)), remove(route(2))]);
  assert.deepEqual(failures.map(({ error }) => [error.errno, error.message]), [
    ["", "Cannot change the routes of the UDP proxy of flan0: none runs"],
    ["", "Cannot change the routes of the UDP proxy of flan0: none runs"],
  ]);
  assert.equal(setup.spawned, 0);
});
