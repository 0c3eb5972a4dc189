/** The kernel with its proxy: an inner kernel in memory, and a proxy on a real socket that may die, hang or come back. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Change, Kernel, KernelEvent } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import {
  aliasOf,
  type KernelObject,
  keyOf,
  type Link,
  type Proxy,
  type ProxyRoute,
} from "../../kernel/state.ts";
import { FlanError } from "../../net/errors.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { ServedProxy, settings, wayOf } from "../lib/served_proxy.ts";

const everything = { links: [], sysctls: [] };
const wanted: Proxy = { kind: "proxy", ...settings, carrying: true };
const link: Link = {
  kind: "link",
  name: "flan0",
  type: "tun",
  alias: aliasOf("node"),
  mac: "",
  mtu: 1472,
  up: true,
  tun: { multiQueue: false, queueLength: 1000 },
};

function route(n: number): ProxyRoute {
  const [destination, remote, port] = wayOf(n);
  return { kind: "proxy-route", link: "flan0", destination, remote, port };
}

const add = (object: KernelObject): Change => ({ verb: "add", object });
const remove = (object: KernelObject): Change => ({ verb: "delete", object });

class Setup {
  readonly inner = new FakeKernel();
  readonly runDir = Deno.makeTempDirSync({ prefix: "flan-proxied-" });
  readonly kernels: Kernel[] = [];
  /** Proxies that were started, here or by the kernel under test. */
  readonly proxies: ServedProxy[] = [];
  spawned = 0;
  spawnError: FlanError | undefined;
  /** Why the next one that is spawned cannot be configured: message and errno. */
  failNext: readonly [string, string] | undefined;
  readonly kernel = this.open();

  /** Another agent on the same host. */
  open(clock = systemClock as FakeClock): Kernel {
    const spawn = () => {
      this.spawned++;
      if (this.spawnError !== undefined) return Promise.reject(this.spawnError);
      const { plane } = this.startProxy();
      if (this.failNext !== undefined) plane.failNext(...this.failNext);
      return Promise.resolve();
    };
    const kernel = openProxiedKernel(this.inner, {
      runDir: this.runDir,
      clock,
      spawn,
      requireProxy: () => {},
    });
    this.kernels.push(kernel);
    return kernel;
  }

  startProxy(): ServedProxy {
    const proxy = new ServedProxy(this.runDir);
    this.proxies.push(proxy);
    return proxy;
  }

  get proxy(): ServedProxy {
    return this.proxies.at(-1)!;
  }

  async proxyObjects(kernel = this.kernel): Promise<KernelObject[]> {
    return (await kernel.dump(everything)).filter(({ kind }) => kind.startsWith("proxy"));
  }

  async end(): Promise<void> {
    for (const kernel of this.kernels) kernel.close();
    for (const proxy of this.proxies) await proxy.end();
    Deno.removeSync(this.runDir, { recursive: true });
  }
}

function test(name: string, work: (setup: Setup) => Promise<void>): void {
  Deno.test(`proxied kernel: ${name}`, async () => {
    const setup = new Setup();
    try {
      await work(setup);
    } finally {
      await setup.end();
    }
  });
}

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

test("a reconciler brings back a proxy that died in the middle, with all its routes", async (setup) => {
  const { kernel } = setup;
  const owner = { alias: aliasOf("node"), links: ["flan0"], network: "10.5.0.0/16" };
  const plan = [link, wanted, route(1), route(2)];
  const reconciler = new Reconciler(kernel, { owner, clock: systemClock });
  assert.deepEqual((await reconciler.reconcile(plan)).failures, []);
  await setup.proxy.end();
  const more = [...plan, route(3)];
  const report = await reconciler.reconcile(more);
  assert.deepEqual([report.failures, report.error], [[], undefined]);
  assert.equal(setup.spawned, 2);
  assert.deepEqual(await setup.proxyObjects(), more.slice(1));
});

/** A listener that takes connections and never answers, as a process does that was stopped with SIGSTOP. */
async function withHung(
  setup: Setup,
  work: (kernel: Kernel, pass: (ms: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${setup.runDir}/proxy.sock` });
  const clock = new FakeClock();
  try {
    await work(setup.open(clock), async (ms) => {
      await clock.untilSleeping();
      await clock.advance(ms);
    });
  } finally {
    listener.close();
  }
}

/** A listener that hangs up on everybody, after it has said `answer`. */
async function withMute(setup: Setup, work: () => Promise<void>, answer = ""): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${setup.runDir}/proxy.sock` });
  const answering = (async () => {
    for await (const conn of listener) {
      await conn.read(new Uint8Array(1024));
      if (answer !== "") await conn.write(new TextEncoder().encode(answer));
      conn.close();
    }
  })();
  try {
    await work();
  } finally {
    listener.close();
    await answering.catch(() => {});
  }
}

test("a proxy that hangs blinds nobody: it carries nothing after 2 s, and another one takes its place", async (setup) => {
  await withHung(setup, async (kernel, pass) => {
    const dumping = kernel.dump({ ...everything, links: ["flan0"] });
    await pass(2000);
    const { link: name, carrying } = (await dumping).find((object) => object.kind === "proxy")!;
    assert.deepEqual([name, carrying], ["flan0", false], "the link that is asked for, where none was known");
    const applying = kernel.apply([add(wanted), add(route(1)), add(link)]);
    await pass(5000);
    await pass(1000);
    assert.deepEqual(await applying, []);
    assert.equal(setup.spawned, 1);
    assert.deepEqual(setup.proxy.plane.last.settings, settings);
    assert.deepEqual([...setup.proxy.plane.last.ways.values()], [wayOf(1)]);
  });
});

test("a proxy that hangs is shown as it was seen last, without its routes, and is mended", async (setup) => {
  const { kernel } = setup;
  const owner = { alias: aliasOf("node"), links: ["flan0"], network: "10.5.0.0/16" };
  const plan = [link, wanted, route(1)];
  const reconciler = new Reconciler(kernel, { owner, clock: systemClock });
  await reconciler.reconcile(plan);
  await setup.proxyObjects();
  await setup.proxy.end();
  await withMute(setup, async () => {
    assert.deepEqual(await setup.proxyObjects(), [{ ...wanted, carrying: false }]);
    const report = await reconciler.reconcile(plan, { resync: true });
    assert.deepEqual([report.failures, report.error], [[], undefined]);
    assert.equal(setup.spawned, 2);
    assert.deepEqual(await setup.proxyObjects(), plan.slice(1));
  });
});

test("one whose socket is gone while its lock is held is wrong, and is ended before another is started", async (setup) => {
  const script = `
    import { tryLock } from "${new URL("../../control/lock.ts", import.meta.url)}";
    tryLock("${setup.runDir}/proxy.lock");
    console.log("held");
    setInterval(() => {}, 1000);`;
  Deno.writeTextFileSync(`${setup.runDir}/hold.ts`, script);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const holder = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--no-check", "--config", config, `${setup.runDir}/hold.ts`],
    stdout: "piped",
  }).spawn();
  const said = holder.stdout.getReader();
  await said.read();
  assert.deepEqual((await setup.proxyObjects()).map((one) => (one as Proxy).carrying), [false]);
  assert.deepEqual(await setup.kernel.apply([{ verb: "replace", object: wanted }]), []);
  assert.equal((await holder.status).signal, "SIGKILL");
  assert.deepEqual(await setup.proxyObjects(), [wanted]);
  await said.cancel();
});

test("an answer that nobody understands is a proxy that carries nothing, and it is replaced", async (setup) => {
  await withMute(setup, async () => {
    assert.deepEqual((await setup.proxyObjects()).map((one) => (one as Proxy).carrying), [false]);
    assert.deepEqual(await setup.kernel.apply([add(wanted)]), []);
    assert.deepEqual(await setup.proxyObjects(), [wanted]);
  }, '{"ok":{"pid":"seven"}}\n');
});

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
