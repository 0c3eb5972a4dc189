/** Hosts whose clocks are wrong, and the server's time that all of them go by. */
import assert from "node:assert/strict";
import { systemClock } from "../../../agent/clock.ts";
import { ServerTime } from "../../../lease/remote/server_time.ts";
import { acquire, renew } from "../../../lease/manager.ts";
import { silent } from "../../../net/log.ts";
import { fails, lease, watching } from "../../conformance/store_case.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { ServedStore, telling } from "../http/served.ts";

const DAY = 86_400_000;

/** What a server whose clock is `ahead` of this one's writes now. */
function dateOf(clock: FakeClock, ahead: number): string {
  return new Date(clock.now() + ahead).toUTCString();
}

Deno.test("clocks that differ by less than two seconds are one, and others keep their distance", async () => {
  for (const ahead of [0, 900, -1900, 5000, -5000, 2 * DAY, -400 * DAY]) {
    const clock = new FakeClock();
    const time = new ServerTime(clock);
    const told = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const answered = time.asked();
      await clock.advance(37 * i);
      answered(dateOf(clock, ahead));
      told.add(time.ahead);
    }
    assert.equal(told.size, 1, String(ahead));
    const [one] = [...told];
    assert.ok(Math.abs(one! - ahead) <= 2000 && (one === 0) === (Math.abs(ahead) < 2000), `${one} ${ahead}`);
  }
});

Deno.test("an answer that was waited for tells the time at which it came", async () => {
  const clock = new FakeClock();
  const time = new ServerTime(clock);
  const answered = time.asked();
  await clock.advance(20_000);
  answered(dateOf(clock, DAY));
  assert.ok(Math.abs(time.ahead - DAY) <= 1000, String(time.ahead));
});

Deno.test("a clock that is set right is believed with the next answer, and no date leaves all as it is", () => {
  const clock = new FakeClock();
  const time = new ServerTime(clock);
  time.asked()(dateOf(clock, DAY));
  for (const odd of [null, "", "tomorrow", "2026-01-09", "Thu, 99 Jan 2026 00:00:00 GMT"]) {
    time.asked()(odd);
    assert.ok(time.ahead > 0, String(odd));
  }
  clock.jump(DAY);
  time.asked()(dateOf(clock, 0));
  assert.equal(time.ahead, 0);
});

for (const days of [2, -2]) {
  const wrong = telling(() => systemClock.now() + days * DAY);
  const where = days > 0 ? "ahead" : "behind";

  Deno.test(`a host whose clock is two days ${where} takes no live lease, and is seen as alive itself`, async () => {
    await using served = await ServedStore.start();
    const [right, other] = [served.store(), served.store({ clock: wrong })];
    await right.writeConfig({ Network: "10.5.0.0/24", SubnetLen: 26, Backend: { Type: "vxlan" } }, 0);
    const claim = (node: string) => ({
      node,
      publicIp: `192.0.2.${node.length}`,
      backendType: "vxlan",
      backendData: undefined,
      ttl: 86_400,
    });
    const tools = { clock: systemClock, log: silent };
    const own = await acquire(other, claim("wrong"), { clock: wrong, log: silent });
    const free = 4 - 1;
    const held = [];
    for (let i = 1; held.length < free; i++) {
      const one = await acquire(right, claim("x".repeat(i)), tools).catch(() => undefined);
      if (one === undefined) break;
      held.push(one);
    }
    assert.ok(held.length >= 2, String(held.length));
    await fails(acquire(other, claim("another"), { clock: wrong, log: silent }), "out-of-subnets");
    // Gone for neither of them, and each is told by its own clock how long it lives.
    for (const [store, clock] of [[right, systemClock], [other, wrong]] as const) {
      const { records, past } = await store.read();
      assert.deepEqual([records.length, past.length], [held.length + 1, 0]);
      for (const { expires } of records) {
        const left = expires! - clock.now();
        assert.ok(Math.abs(left - DAY) < 10_000, String(left));
      }
    }
    await renew(other, own, claim("wrong"));
    assert.equal(await other.forget(wrong.now() - 7 * DAY), 0);
  });

  Deno.test(`a host whose clock is two days ${where} is told so by who inspects the store`, async () => {
    await using served = await ServedStore.start();
    const [right, other] = [served.store(), served.store({ clock: wrong })];
    await right.writeConfig({ Network: "10.5.0.0/24", SubnetLen: 26, Backend: { Type: "vxlan" } }, 0);
    const skews = async (store: typeof right) =>
      (await store.inspect()).filter(({ code }) => code === "clock-skew");
    assert.deepEqual(await skews(right), []);
    const [skew] = await skews(other);
    const which = days > 0 ? "ahead of" : "behind";
    assert.match(
      skew!.message,
      new RegExp(`^This host's clock is 1?7[0-9]{4} s ${which} that of the server`),
    );
  });

  Deno.test(`a watch of a host whose clock is two days ${where} sees who is alive`, async () => {
    await using served = await ServedStore.start();
    await served.local().create(lease(1));
    await watching(served.store({ clock: wrong }), 0, async (next) => {
      assert.deepEqual((await next()).records.map(({ key }) => key), ["10.5.1.0-24"]);
    });
  });
}

Deno.test("a server that does not tell the time leaves each host to its own clock", () => {
  const clock = new FakeClock();
  const time = new ServerTime(clock);
  time.asked()(null);
  assert.equal(time.ahead, 0);
});
