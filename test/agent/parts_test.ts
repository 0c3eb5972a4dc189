/** The small parts of the agent: health, wake, wanted, who did it, concerns and the store's feed. */
import assert from "node:assert/strict";
import { reasonOf } from "../../agent/concerns.ts";
import { StoreFeed } from "../../agent/feeds.ts";
import { Health } from "../../agent/health/health.ts";
import { culprit } from "../../agent/suspects.ts";
import { Wake } from "../../agent/wake.ts";
import { Wanted } from "../../agent/wanted.ts";
import { requireNetAdmin } from "../../agent/capability.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { MemoryStore } from "../../lease/document/memory_store.ts";
import { parseCidr } from "../../net/ip.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { KeptLog } from "../lib/reconciling.ts";

const event = (change: Partial<KernelEvent>): KernelEvent => ({
  group: "link",
  action: "new",
  own: false,
  port: 0,
  ...change,
});

Deno.test("health: a problem is logged when it begins and when it ends, and keeps its time in between", () => {
  const log = new KeptLog();
  const health = new Health(log);
  const found = { code: "foreign-route", subject: "route a", message: "a is in the way" } as const;
  health.set(["foreign-route"], [found], 1);
  health.set(["foreign-route"], [{ ...found, message: "a is still in the way" }], 2);
  assert.deepEqual(health.list(), [{
    ...found,
    message: "a is still in the way",
    severity: "high",
    because: undefined,
    since: 1,
  }]);
  health.set(["foreign-link"], [], 3);
  assert.ok(health.has("foreign-link", "foreign-route"), "other codes are not concerned");
  health.set(["foreign-route"], [], 4);
  assert.deepEqual([health.list(), health.has("foreign-route")], [[], false]);
  assert.deepEqual(log.messages, ["a is in the way", "Well again: route a (before: a is still in the way)"]);
});

Deno.test("health: many problems of one code that begin at once are one line", () => {
  const log = new KeptLog();
  const health = new Health(log);
  const many = Array.from({ length: 1000 }, (_, i) => ({
    code: "kernel-refuses" as const,
    subject: `route ${i}`,
    message: `${i} refused`,
  }));
  health.set(["kernel-refuses"], many, 1);
  health.set(["kernel-refuses"], [], 2);
  assert.deepEqual(log.messages, [
    "0 refused, and 999 more",
    "Well again: route 0 (before: 0 refused), and 999 more",
  ]);
});

Deno.test("health: raised problems add up, and the high ones are listed first", () => {
  const health = new Health(new KeptLog());
  health.raise({ code: "store-unreachable", subject: "s", message: "m" }, 1);
  health.raise({ code: "lease-lost", subject: "b", message: "m" }, 1);
  health.raise({ code: "lease-lost", subject: "a", message: "m" }, 1);
  assert.deepEqual(health.list().map(({ code, subject }) => [code, subject]), [
    ["lease-lost", "a"],
    ["lease-lost", "b"],
    ["store-unreachable", "s"],
  ]);
});

Deno.test("wake: a reason that came before the wait is not lost, each is told once, and time ends the wait", async () => {
  const clock = new FakeClock();
  const wake = new Wake<string>(clock);
  for (const reason of ["a", "b", "a"]) wake.because(reason);
  assert.deepEqual([...await wake.wait(1000)], ["a", "b"]);
  const waiting = wake.wait(1000);
  wake.because("c");
  assert.deepEqual([...await waiting], ["c"]);
  const empty = wake.wait(1000);
  await clock.advance(1000);
  assert.equal((await empty).size, 0);
});

Deno.test("wanted: bounded, the oldest question is forgotten first, and a repeated one is not old", () => {
  const wanted = new Wanted();
  for (let i = 0; i < 8192; i++) wanted.add(`a${i}`);
  wanted.add("a0");
  assert.equal(wanted.addresses.size, 8192);
  wanted.add("new");
  assert.equal(wanted.addresses.size, 8192);
  assert.deepEqual(["a0", "a1", "new"].map((one) => wanted.addresses.has(one)), [true, false, true]);
  assert.deepEqual([wanted.forget("new"), wanted.forget("new")], [true, false]);
});

Deno.test("suspects: a process that has gone, the kernel, and a link's unknown are told apart", () => {
  assert.equal(culprit(event({ group: "route", port: 4e9 })), "process 4000000000 (ended, name unknown)");
  assert.equal(culprit(event({ group: "route" })), "the kernel");
  assert.equal(culprit(event({ group: "link" })), undefined);
  assert.equal(culprit(event({ group: "ipsec" })), undefined);
});

const scope = {
  devices: ["flan.1"],
  underlay: "eth0",
  networks: [parseCidr("10.5.0.0/16")],
  searching: false,
};
const cases: readonly [Partial<KernelEvent>, ReturnType<typeof reasonOf>][] = [
  [{ group: "overrun" }, "host"],
  [{ group: "link", link: "flan.1" }, "host"],
  [{ group: "address", link: "eth0" }, "host"],
  [{ group: "link", link: "docker0" }, undefined],
  [{ group: "link", link: "mine", former: "flan.1" }, "host"],
  [{ group: "link", link: "lan0", former: "eth0" }, "host"],
  [{ group: "link", link: "veth8", former: "veth7" }, undefined],
  [{ group: "proxy", link: "flan0" }, "kernel"],
  [{ group: "ipsec" }, "host"],
  [{ group: "nexthop", link: "flan.1" }, "kernel"],
  [{ group: "nexthop", link: "eth0" }, undefined],
  [{ group: "neighbour", link: "eth0", action: "wanted" }, undefined],
  [{ group: "neighbour", link: "flan.1", action: "wanted" }, "wanted"],
  [{ group: "neighbour", link: "flan.1", action: "delete" }, "kernel"],
  [{ group: "neighbour", link: "flan.1" }, undefined],
  [{ group: "neighbour", link: "flan.1", port: 7 }, "kernel"],
  [{ group: "route", subject: "0.0.0.0/0" }, "host"],
  [{ group: "route", subject: "10.6.9.0/24", link: "docker0" }, undefined],
  [{ group: "route", subject: "10.6.9.0/24", link: "eth0" }, "host"],
  [{ group: "route", subject: "10.6.9.0/24", link: "eth0", protocol: 2, action: "delete" }, "host"],
  [{ group: "route", subject: "fd00::/64", link: "eth0" }, undefined],
  // An unreachable one names no link.
  [{ group: "route", subject: "192.0.2.2/32" }, "host"],
  [{ group: "route", subject: "10.5.9.0/24" }, "kernel"],
  // The agent's own route, which somebody changed: nobody has another way out for it.
  [{ group: "route", subject: "10.5.9.0/24", link: "eth0", protocol: 113 }, "kernel"],
  [{ group: "route", subject: "10.6.9.0/24", protocol: 113 }, "kernel"],
];

for (const [change, reason] of cases) {
  Deno.test(`concerns: ${JSON.stringify(change)} is ${reason ?? "nobody's business"}`, () => {
    assert.equal(reasonOf(event(change), scope), reason);
  });
}

Deno.test("concerns: while something is missing, any link or address may be the one", () => {
  assert.equal(reasonOf(event({ link: "docker0" }), { ...scope, searching: true }), "host");
});

Deno.test("feeds: a defect of the store ends the feed, and is no outage", async () => {
  const clock = new FakeClock();
  class Defective extends MemoryStore {
    override watch(): never {
      throw new TypeError("undefined is not a function");
    }
  }
  const { signal } = new AbortController();
  const never = () => assert.fail("nothing to tell");
  const feed = new StoreFeed(new Defective({ clock }), clock);
  await assert.rejects(feed.follow(0, { signal, seen: never, troubled: never }), TypeError);
});

Deno.test({
  name: "capability: whoever lacks CAP_NET_ADMIN is told so, and root is not",
  ignore: Deno.uid() !== 0,
  async fn() {
    requireNetAdmin("set up the network");
    const module = new URL("../../agent/capability.ts", import.meta.url);
    const script = `
      import { requireNetAdmin } from "${module}";
      try { requireNetAdmin("set up the network"); } catch (error) { console.log(error.code, error.message); }`;
    const file = Deno.makeTempFileSync({ suffix: ".ts" });
    Deno.writeTextFileSync(file, script);
    const { stdout } = await new Deno.Command("setpriv", {
      args: ["--bounding-set=-net_admin", "--inh-caps=-net_admin", Deno.execPath(), "run", "-A", "-q", file],
    }).output();
    Deno.removeSync(file);
    assert.equal(
      new TextDecoder().decode(stdout),
      "not-permitted Cannot set up the network: the capability CAP_NET_ADMIN is missing\n",
    );
  },
});
