/** The kernel with its proxy: who is told of what, and when. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Kernel, KernelEvent } from "../../kernel/kernel.ts";
import { FlanError } from "../../net/errors.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { settings } from "../lib/served_proxy.ts";

import { add, everything, link, remove, test, wanted } from "../lib/proxied.ts";

/** Events as they come. */
function listen(kernel: Kernel) {
  const stop = new AbortController();
  const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
  return {
    async next(): Promise<KernelEvent> {
      for (;;) {
        const { value } = await events.next();
        if (value.group === "proxy") return value;
      }
    },
    async end(): Promise<void> {
      stop.abort();
      await events.return?.();
    },
  };
}

test("a proxy that stops carrying, or dies, is an event at once; own deeds are none", async (setup) => {
  const { kernel } = setup;
  await kernel.apply([add(wanted)]);
  const heard = listen(kernel);
  while (!setup.proxy.asked.includes("follow")) await systemClock.turn();
  await kernel.apply([{ verb: "replace", object: { ...wanted, port: 9000 } }]);
  while (setup.proxy.asked.filter((op) => op === "follow").length < 2) await systemClock.turn();
  setup.proxy.plane.last.fail("gone (EBADFD)", "EBADFD");
  const event = { group: "proxy", own: false, port: 0, link: "flan0" };
  assert.deepEqual(await heard.next(), { ...event, action: "delete" });
  await kernel.apply([{ verb: "replace", object: wanted }]);
  while (setup.proxy.asked.at(-1) !== "follow") await systemClock.turn();
  await setup.proxy.end();
  assert.deepEqual(await heard.next(), { ...event, action: "delete" });
  await heard.end();
});

test("an own deed is no event, also where it is heard of before it is done", async (setup) => {
  const { kernel } = setup;
  await kernel.apply([add(wanted)]);
  const heard = listen(kernel);
  const { proxy } = setup;
  while (!proxy.asked.includes("follow")) await systemClock.turn();
  const held = Promise.withResolvers<void>();
  proxy.held = held.promise;
  const applying = kernel.apply([{ verb: "replace", object: { ...wanted, port: 9000 } }]);
  while ((await proxy.client.show())!.proxy!.port !== 9000);
  for (let i = 0; i < 10; i++) await proxy.client.counters();
  held.resolve();
  await applying;
  proxy.plane.last.fail("gone (EBADFD)", "EBADFD");
  assert.equal((await heard.next()).action, "delete");
  await heard.end();
});

test("a proxy that ends while it is asked is not there, and no error", async (setup) => {
  const path = `${setup.runDir}/proxy.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const ending = (async () => {
    const conn = await listener.accept();
    await conn.read(new Uint8Array(1024));
    listener.close();
    conn.close();
  })();
  assert.deepEqual(await setup.proxyObjects(), []);
  await ending;
});

test("one that was stopped here is no event, and one that is started again is followed", async (setup) => {
  const { kernel } = setup;
  const heard = listen(kernel);
  await kernel.apply([add(wanted)]);
  while (!setup.proxy.asked.includes("follow")) await systemClock.turn();
  await kernel.apply([remove(wanted)]);
  await kernel.apply([add(wanted)]);
  while (!setup.proxy.asked.includes("follow")) await systemClock.turn();
  await setup.proxy.client.configure({ ...settings, port: 9000 });
  // Somebody else's configure is the first that is told.
  assert.deepEqual((await heard.next()).action, "new");
  await heard.end();
});

test("one that somebody else starts is followed from the dump that finds it on", async (setup) => {
  const { kernel } = setup;
  const heard = listen(kernel);
  const proxy = setup.startProxy();
  await kernel.dump(everything);
  assert.equal((await heard.next()).action, "delete", "it carries nothing yet");
  await proxy.client.configure(settings);
  assert.equal((await heard.next()).action, "new");
  await heard.end();
});

test("the inner kernel's events come through, and its end is the end", async (setup) => {
  const stop = new AbortController();
  const events = setup.kernel.events(stop.signal)[Symbol.asyncIterator]();
  new FakeKernel(setup.inner.stack).apply([add(link)]);
  assert.equal((await events.next()).value.group, "link");
  setup.inner.close();
  assert.equal((await events.next()).done, true);
});

test("the feature proxy is asked of the library, all others of the kernel", async (setup) => {
  const asked: string[] = [];
  const inner = Object.assign(new FakeKernel(), {
    require: (features: readonly string[]) => Promise.resolve(void asked.push(...features)),
  });
  const missing = new FlanError("Cannot open library libflan_proxy", { op: "x", code: "unsupported" });
  const kernel = openProxiedKernel(inner, {
    family: 4,
    runDir: setup.runDir,
    clock: systemClock,
    spawn: () => Promise.resolve(),
    requireProxy: () => {
      throw missing;
    },
  });
  await kernel.require(["tun"]);
  await assert.rejects(kernel.require(["tun", "proxy"]), missing);
  assert.deepEqual(asked, ["tun"]);
});
