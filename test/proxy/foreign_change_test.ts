/** Routes of the proxy that somebody else changes are heard of at once, and one's own changes are not. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Change, KernelEvent } from "../../kernel/kernel.ts";
import type { ProxyRoute } from "../../kernel/state.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { settings, wayOf, withProxy } from "../lib/served_proxy.ts";

const link = settings.link;
const add = (n: number): Change => {
  const [destination, remote, port] = wayOf(n);
  return { verb: "add", object: { kind: "proxy-route", link, destination, remote, port } as ProxyRoute };
};

Deno.test("proxy: a change of routes is another state, and one that changes nothing is not", async () => {
  await withProxy(async ({ client }) => {
    const { generation: first } = (await client.configure(settings))!;
    const { generation: second } = (await client.change({ link, put: [wayOf(1), wayOf(2)], remove: [] }))!;
    assert.notEqual(second, first);
    for (
      const [put, remove] of [
        [[], []],
        [[wayOf(1)], []],
        [[wayOf(1)], [wayOf(1)[0]]],
        [[], [wayOf(3)[0]]],
      ] as const
    ) {
      assert.equal((await client.change({ link, put, remove }))!.generation, second);
    }
    for (
      const [put, remove] of [
        [[], [wayOf(1)[0]]],
        [[[wayOf(2)[0], "192.0.2.9", 8285]], []],
        [[[wayOf(2)[0], "192.0.2.9", 9000]], []],
      ] as const
    ) {
      const { generation } = (await client.show())!;
      const following = client.follow(generation, new AbortController().signal);
      assert.notEqual((await client.change({ link, put, remove }))!.generation, generation);
      assert.notEqual((await following)!.generation, generation);
    }
  });
});

Deno.test("proxied kernel: routes that somebody else changes are an event, own ones in any number are none", async () => {
  await withProxy(async ({ runDir, client, asked }) => {
    const kernel = openProxiedKernel(new FakeKernel(), {
      family: 4,
      runDir,
      clock: systemClock,
      spawn: () => Promise.reject(new Error("one runs")),
      requireProxy: () => {},
    });
    await kernel.apply([{ verb: "add", object: { kind: "proxy", ...settings, carrying: true } }]);
    const stop = new AbortController();
    const heard: KernelEvent[] = [];
    const listening = (async () => {
      for await (const event of kernel.events(stop.signal)) heard.push(event);
    })();
    const followed = async (times: number) => {
      while (asked.filter((op) => op === "follow").length < times) await systemClock.turn();
    };
    await followed(1);

    // Two in one deed: who follows may ask between them.
    await kernel.apply([add(1), { ...add(1), verb: "delete" }, add(1), add(2)]);
    await kernel.apply([add(3)]);
    await followed(asked.filter((op) => op === "follow").length + 1);
    assert.deepEqual(heard, []);

    await client.change({ link, put: [], remove: [wayOf(2)[0]] });
    while (heard.length === 0) await systemClock.turn();
    assert.deepEqual(heard, [{ group: "proxy", action: "new", own: false, port: 0, link }]);
    stop.abort();
    await listening;
    kernel.close();
  });
});
