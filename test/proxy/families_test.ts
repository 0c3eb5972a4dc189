/** Two proxies of one host, each of its own family: whose an object is, and who is asked. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Change, Kernel } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, type Proxy } from "../../kernel/state.ts";
import { proxyDir } from "../../proxy/client.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { everything, wanted } from "../lib/proxied.ts";
import { ServedProxy, settings } from "../lib/served_proxy.ts";

const wanted6: Proxy = {
  ...wanted,
  link: "flan6-0",
  address: "2001:db8::1",
  subnet: "fd00:5:0:1::/64",
  source: "fd00:5:0:1::",
};
const { kind: _, carrying: __, ...settings6 } = wanted6;
const routes: readonly KernelObject[] = [
  { kind: "proxy-route", link: "flan0", destination: "10.5.2.0/24", remote: "192.0.2.2", port: 8285 },
  { kind: "proxy-route", link: "flan6-0", destination: "fd00:5:0:2::/64", remote: "2001:db8::2", port: 8285 },
];
const adds = (objects: readonly KernelObject[]): Change[] =>
  objects.map((object) => ({ verb: "add", object }));

interface Both {
  readonly kernel: Kernel;
  readonly runDir: string;
  readonly started: ServedProxy[];
}

/** A kernel with both proxies, as a host has it. */
async function withBoth(work: (both: Both) => Promise<void>): Promise<void> {
  const runDir = Deno.makeTempDirSync({ prefix: "flan-families-" });
  const started: ServedProxy[] = [];
  const inner: Kernel = new FakeKernel();
  const kernel = ([4, 6] as const).reduce((below, family) =>
    openProxiedKernel(below, {
      family,
      runDir,
      clock: systemClock,
      requireProxy: () => {},
      spawn: () => {
        Deno.mkdirSync(proxyDir(runDir, family), { recursive: true });
        started.push(new ServedProxy(proxyDir(runDir, family)));
        return Promise.resolve();
      },
    }), inner);
  try {
    await work({ kernel, runDir, started });
  } finally {
    kernel.close();
    for (const proxy of started) await proxy.end();
    Deno.removeSync(runDir, { recursive: true });
  }
}

const shown = async (kernel: Kernel) =>
  (await kernel.dump({ ...everything, links: ["flan0", "flan6-0"] })).filter(({ kind }) =>
    kind.startsWith("proxy")
  );
const keys = (objects: readonly KernelObject[]) => objects.map(keyOf).sort();

Deno.test("families: each proxy is started for its own family, and told its own settings and routes", async () => {
  await withBoth(async ({ kernel, started }) => {
    assert.deepEqual(await kernel.apply(adds([wanted, wanted6, ...routes])), []);
    assert.deepEqual(started.map(({ plane }) => plane.opened.map(({ settings }) => settings)), [[settings], [
      settings6,
    ]]);
    assert.deepEqual(keys(await shown(kernel)), keys([wanted, wanted6, ...routes]));
    for (const [i, proxy] of started.entries()) {
      const { routes: ways } = (await proxy.client.show())!;
      const route = routes[i]!;
      assert.ok(route.kind === "proxy-route");
      assert.deepEqual(ways, [[route.destination, route.remote, route.port]]);
    }
  });
});

Deno.test("families: one is taken away, and the other one goes on", async () => {
  await withBoth(async ({ kernel, started }) => {
    await kernel.apply(adds([wanted, wanted6, ...routes]));
    assert.deepEqual(await kernel.apply([{ verb: "delete", object: wanted6 }]), []);
    await started[1]!.ended;
    assert.deepEqual(keys(await shown(kernel)), keys([wanted, routes[0]!]));
  });
});

Deno.test("families: a proxy of IPv6 that was told nothing yet is not taken for the other one's", async () => {
  await withBoth(async ({ kernel, runDir, started }) => {
    Deno.mkdirSync(proxyDir(runDir, 6));
    started.push(new ServedProxy(proxyDir(runDir, 6)));
    assert.deepEqual(keys(await shown(kernel)), ["proxy flan6-0"]);
    const [idle] = await shown(kernel);
    assert.deepEqual(await kernel.apply([{ verb: "delete", object: idle! }]), []);
    await started[0]!.ended;
    assert.deepEqual(await shown(kernel), []);
  });
});

Deno.test("families: routes are not handed on to a proxy that is to carry the other family", async () => {
  await withBoth(async ({ kernel, started }) => {
    await kernel.apply(adds([wanted, routes[0]!]));
    const [proxy] = started;
    const { failure } = (await proxy!.client.configure({ ...settings6, link: "flan0" }))!;
    assert.equal(failure, null);
    assert.deepEqual((await proxy!.client.show())!.routes, []);
    assert.equal(proxy!.plane.opened.length, 2);
  });
});
