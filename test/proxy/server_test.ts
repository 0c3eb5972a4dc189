/** What a proxy is and answers, over its real socket; only its data plane is a fake one. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { type ServedProxy, settings, withProxy } from "../lib/served_proxy.ts";

const way = ["10.5.2.0/24", "192.0.2.2", 8285] as const;
const other = ["10.5.3.0/24", "192.0.2.3", 8285] as const;

async function configured({ client }: ServedProxy, change: Partial<typeof settings> = {}) {
  return (await client.configure({ ...settings, ...change }))!;
}

Deno.test("proxy: one that was told nothing says so, carries nothing and takes no routes", async () => {
  await withProxy(async ({ client, plane }) => {
    const { generation, ...shown } = (await client.show())!;
    assert.ok(generation > 0);
    assert.deepEqual(shown, {
      pid: Deno.pid,
      version: "0.0.7",
      proxy: null,
      carrying: false,
      failure: null,
      features: [],
      routes: [],
    });
    await assert.rejects(client.change({ link: "flan0", put: [way], remove: [] }), {
      message: `The UDP proxy at ${client.socket} refused: it was not told yet which link it serves`,
    });
    assert.equal(plane.opened.length, 0);
  });
});

Deno.test("proxy: it carries what it was told, and routes are put and removed while it does", async () => {
  await withProxy(async (proxy) => {
    const { client, plane } = proxy;
    assert.deepEqual({ ...await configured(proxy), generation: 0 }, {
      generation: 0,
      carrying: true,
      failure: null,
    });
    await client.change({ link: "flan0", put: [way, other], remove: [] });
    await client.change({
      link: "flan0",
      put: [["10.5.2.0/24", "192.0.2.9", 9000]],
      remove: [other[0], way[0]],
    });
    const shown = (await client.show())!;
    assert.deepEqual(shown.proxy, settings);
    assert.deepEqual(shown.routes, [["10.5.2.0/24", "192.0.2.9", 9000]]);
    assert.deepEqual([...plane.last.ways.values()], shown.routes);
    assert.deepEqual(shown.features, ["tun-offload", "udp-gro"]);
  });
});

Deno.test("proxy: told the same again it does nothing, and told what needs no descriptor it opens none", async () => {
  await withProxy(async (proxy) => {
    const first = await configured(proxy);
    assert.equal((await configured(proxy)).generation, first.generation);
    const second = await configured(proxy, { subnet: "10.5.7.0/24", source: "10.5.7.0", checkSource: false });
    assert.notEqual(second.generation, first.generation);
    assert.equal(proxy.plane.opened.length, 1);
    assert.equal(proxy.plane.last.settings.subnet, "10.5.7.0/24");
    assert.equal((await proxy.client.show())!.proxy!.checkSource, false);
  });
});

Deno.test("proxy: another port opens everything anew, with the routes, after the only queue was given back", async () => {
  await withProxy(async (proxy) => {
    await configured(proxy);
    await proxy.client.change({ link: "flan0", put: [way], remove: [] });
    assert.equal((await configured(proxy, { port: 9000 })).carrying, true);
    assert.equal(proxy.plane.opened.length, 2);
    assert.equal(proxy.plane.openCount, 1);
    assert.deepEqual([...proxy.plane.last.ways.values()], [way]);
  });
});

Deno.test("proxy: of several queues the new ones are open before the old ones are closed", async () => {
  await withProxy(async (proxy) => {
    await configured(proxy, { queues: 2 });
    const held = Promise.withResolvers<void>();
    proxy.plane.closing = held.promise;
    assert.equal((await configured(proxy, { queues: 2, port: 9000 })).carrying, true);
    assert.equal(proxy.plane.openCount, 2);
    proxy.plane.failNext("no room (EMFILE)", "EMFILE");
    held.resolve();
    const { carrying, failure } = await configured(proxy, { queues: 2, port: 9001 });
    assert.deepEqual([carrying, failure!.errno], [true, "EMFILE"], "what was carried before goes on");
    assert.equal((await proxy.client.show())!.proxy!.port, 9000);
  });
});

Deno.test("proxy: one port is not opened twice, also not for another number of several queues", async () => {
  await withProxy(async (proxy) => {
    await configured(proxy, { queues: 2 });
    assert.equal((await configured(proxy, { queues: 4 })).failure, null);
    assert.equal((await proxy.client.show())!.proxy!.queues, 4);
  });
});

Deno.test("proxy: what cannot be opened is told with its errno, kept as the failure, and tried again when asked", async () => {
  await withProxy(async (proxy) => {
    const message = "Cannot start the UDP proxy at 192.0.2.1:8285: Address already in use (EADDRINUSE)";
    proxy.plane.failNext(message, "EADDRINUSE");
    const { carrying, failure } = await configured(proxy);
    assert.deepEqual([carrying, failure], [false, { message, errno: "EADDRINUSE" }]);
    await proxy.client.change({ link: "flan0", put: [way], remove: [] });
    const shown = (await proxy.client.show())!;
    assert.deepEqual([shown.carrying, shown.failure, shown.proxy], [false, message, settings]);
    assert.equal((await configured(proxy)).carrying, true);
    assert.equal((await proxy.client.show())!.failure, null);
    assert.deepEqual([...proxy.plane.last.ways.values()], [way], "routes given meanwhile are not lost");
  });
});

Deno.test("proxy: a data plane that fails is given back, its routes stay, and who follows hears of it at once", async () => {
  await withProxy(async (proxy) => {
    const { generation } = await configured(proxy);
    await proxy.client.change({ link: "flan0", put: [way], remove: [] });
    const following = proxy.client.follow(generation, new AbortController().signal);
    proxy.plane.last.fail("the device flan0 was deleted (EBADFD)", "EBADFD");
    const heard = (await following)!;
    assert.deepEqual([heard.carrying, heard.link], [false, "flan0"]);
    const shown = (await proxy.client.show())!;
    assert.equal(shown.generation, heard.generation);
    assert.deepEqual([shown.carrying, shown.failure], [false, "the device flan0 was deleted (EBADFD)"]);
    assert.deepEqual(shown.routes, [way]);
    assert.equal((await configured(proxy)).carrying, true);
    assert.equal(proxy.plane.openCount, 1);
  });
});

Deno.test("proxy: one that failed is opened again only after what it held was given back", async () => {
  await withProxy(async (proxy) => {
    const { generation } = await configured(proxy);
    const held = Promise.withResolvers<void>();
    proxy.plane.closing = held.promise;
    const following = proxy.client.follow(generation, new AbortController().signal);
    proxy.plane.last.fail("gone (EBADFD)", "EBADFD");
    await following;
    const again = configured(proxy);
    await proxy.client.show();
    held.resolve();
    assert.deepEqual((await again).failure, null);
  });
});

Deno.test("proxy: no counter goes back when the data plane is opened anew, and the end of the old one counts", async () => {
  await withProxy(async (proxy) => {
    assert.deepEqual((await proxy.client.counters())!.counters, { out_packets: 0, in_drop_source: 0 });
    await configured(proxy);
    proxy.plane.last.packets = 5;
    assert.equal((await proxy.client.counters())!.counters["out_packets"], 5);
    await configured(proxy, { port: 9000 });
    proxy.plane.last.packets = 10;
    assert.equal((await proxy.client.counters())!.counters["out_packets"], 5 + 1 + 10);
  });
});

Deno.test("proxy: another link's routes are nobody's, and what is asked for another link is not done", async () => {
  await withProxy(async (proxy) => {
    const { client } = proxy;
    await configured(proxy);
    await client.change({ link: "flan0", put: [way], remove: [] });
    const refused = (await client.change({ link: "flan9", put: [other], remove: [way[0]] }))!;
    assert.equal(refused.refused, "it serves flan0, not flan9");
    assert.deepEqual((await client.show())!.routes, [way]);
    assert.equal((await client.stop({ link: "flan9" }))!.stopped, false);
    await configured(proxy, { link: "flan1" });
    assert.deepEqual((await client.show())!.routes, []);
  });
});

Deno.test("proxy: a change that the data plane refuses changes nothing", async () => {
  await withProxy(async (proxy) => {
    await configured(proxy);
    proxy.plane.failNext("no memory (ENOMEM)", "ENOMEM");
    await assert.rejects(proxy.client.change({ link: "flan0", put: [way], remove: [] }), /ENOMEM/);
    assert.deepEqual((await proxy.client.show())!.routes, []);
  });
});

Deno.test("proxy: asked to stop it carries nothing any more, answers, and hangs up on who follows", async () => {
  await withProxy(async (proxy) => {
    const { generation } = await configured(proxy);
    const never = new AbortController().signal;
    const following = assert.rejects(proxy.client.follow(generation, never), /it is stopping/);
    await proxy.client.counters();
    const held = Promise.withResolvers<void>();
    proxy.plane.closing = held.promise;
    const stopping = proxy.client.stop();
    while (proxy.asked.at(-1) !== "stop") await systemClock.turn();
    const late = assert.rejects(proxy.client.follow(generation, never), /it is stopping/);
    while (proxy.asked.at(-1) !== "follow") await systemClock.turn();
    held.resolve();
    assert.deepEqual(await stopping, { pid: Deno.pid, stopped: true });
    assert.equal(proxy.plane.openCount, 0);
    await following;
    await late;
    await proxy.ended;
    assert.equal(await proxy.client.show(), undefined);
  });
});
