/** A kernel with its socket for ESP in UDP: put back, told of, and asked for. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { toCommands } from "../../kernel/commands.ts";
import type { Kernel, KernelEvent } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import type { EncapSocket } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeXfrm } from "../lib/fake_xfrm.ts";
import { ipsecHost, ipsecOwner, ipsecView } from "../lib/overlay.ts";

const socket: EncapSocket = { kind: "encap-socket", port: 4500 };
const everything = { links: [], sysctls: [] };

async function sockets(kernel: Kernel): Promise<unknown[]> {
  return (await kernel.dump(everything)).filter(({ kind }) => kind === "encap-socket");
}

/** The events of IPsec, as they come. */
function listen(kernel: Kernel) {
  const stop = new AbortController();
  const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
  return {
    next: async (): Promise<KernelEvent> => (await events.next()).value,
    async end() {
      stop.abort();
      assert.equal((await events.next()).done, true);
    },
  };
}

Deno.test("encap kernel: a process that somebody ends is an event at once, and one of a former agent as well", async () => {
  const fake = new FakeXfrm();
  await fake.open().kernel.apply([{ verb: "add", object: socket }]);
  const { kernel } = fake.open();
  const heard = listen(kernel);
  assert.deepEqual(await sockets(kernel), [socket]);
  const ended = { group: "ipsec", action: "delete", own: false, port: 0 };
  for (let times = 0; times < 3; times++) {
    await systemClock.turn();
    fake.encap.kill();
    assert.deepEqual(await heard.next(), ended);
    assert.deepEqual(await sockets(kernel), []);
    await kernel.apply([{ verb: "add", object: socket }]);
  }
  await heard.end();
});

Deno.test("encap kernel: what this process ends is no event", async () => {
  const fake = new FakeXfrm();
  const { kernel } = fake.open();
  await kernel.apply([{ verb: "add", object: socket }]);
  const heard = listen(kernel);
  await systemClock.turn();
  const next = heard.next();
  let isNews = false;
  next.then(() => isNews = true);
  for (const verb of ["delete", "add", "replace"] as const) {
    await kernel.apply([{ verb, object: socket }]);
    for (let turns = 0; turns < 10; turns++) await systemClock.turn();
    assert.equal(isNews, false, verb);
  }
  fake.encap.kill();
  assert.equal((await next).group, "ipsec");
  await heard.end();
});

Deno.test("encap kernel: a port that somebody has is what the host lacks, and no other feature asks for it", async () => {
  const fake = new FakeXfrm();
  fake.encap.isTaken = true;
  const { kernel } = fake.open();
  await kernel.require(["ipsec"]);
  await assert.rejects(kernel.require(["ipsec", "udp-encap"]), {
    code: "unsupported",
    message: /port 4500 is taken by charon\[7\]/,
  });
  const [failure] = await kernel.apply([{ verb: "add", object: socket }]);
  assert.deepEqual([failure!.error.errno, failure!.error.code], ["EADDRINUSE", "failed"]);
});

Deno.test("encap kernel: the socket stands before a state does, and goes with the network, as of itself", async () => {
  const fake = new FakeXfrm();
  const { kernel } = fake.open();
  const reconciler = new Reconciler(kernel, { owner: ipsecOwner, clock: new FakeClock() });
  const reconcile = async (UDPEncap: boolean) => {
    const { objects } = ipsec.plan(ipsecView([2], { UDPEncap }), ipsecHost());
    const { done, failures } = await reconciler.reconcile(objects, { resync: true });
    assert.deepEqual(failures, []);
    return done.map(({ verb, object }) => `${verb} ${object.kind}`);
  };
  const made = await reconcile(true);
  assert.ok(made.indexOf("add encap-socket") < made.indexOf("add xfrm-state"));
  assert.ok(made.includes("add encap-socket"));
  const changed = await reconcile(false);
  assert.deepEqual(changed.filter((one) => one.endsWith("socket")), ["delete encap-socket"]);
  assert.deepEqual(changed.filter((one) => one.endsWith("xfrm-state")), Array(4).fill("replace xfrm-state"));
  await reconcile(true);
  const { removed } = await teardown(kernel, { ...ipsecOwner, links: [] });
  assert.equal(removed.filter(({ kind }) => kind === "encap-socket").length, 1);
  assert.equal(fake.encap.pid, undefined);
});

Deno.test("encap kernel: no command does it, which the commands say", () => {
  const lines = (["add", "delete"] as const).flatMap((verb) => toCommands([{ verb, object: socket }]));
  assert.deepEqual(lines, [
    "# flan up starts a process that holds UDP port 4500 for ESP in UDP",
    "# flan down ends the process that holds UDP port 4500",
  ]);
});
