/** The kernel with its proxy where that dies, hangs, or cannot be understood: it is shown as it is, and replaced. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { aliasOf, type Proxy } from "../../kernel/state.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { settings, wayOf } from "../lib/served_proxy.ts";

import { add, everything, link, route, type Setup, test, wanted } from "../lib/proxied.ts";

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
