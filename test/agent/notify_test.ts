/** What a service manager is told, and when. */
import assert from "node:assert/strict";
import { Notifier, watchdogTime } from "../../agent/notify.ts";
import { statusLine } from "../../agent/status_line.ts";
import { TestNetwork } from "../lib/agents.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { KeptLog } from "../lib/reconciling.ts";

function notifier({ watchdog = Infinity } = {}) {
  const sent: string[] = [];
  const clock = new FakeClock({ seed: 1 });
  const log = new KeptLog();
  const way = { isBroken: false };
  const send = (message: string) => {
    if (way.isBroken) throw new Error("nobody listens");
    sent.push(message);
  };
  return { sent, clock, log, way, notifier: new Notifier({ send, watchdog, clock, log }) };
}

Deno.test("notify: joining, ready with a line, the line again when it is another one, stopping", () => {
  const { sent, notifier: told } = notifier();
  let line = "0 peers";
  told.turned();
  told.joining();
  told.turned();
  assert.deepEqual(sent, ["STATUS=Joining"], "nothing is ready before it says so");
  told.ready(() => line);
  told.turned();
  line = "1 peer";
  told.turned();
  told.turned();
  told.stopping();
  told.turned();
  assert.deepEqual(sent.slice(1), [
    "READY=1\nSTATUS=0 peers",
    "STATUS=1 peer",
    "STOPPING=1\nSTATUS=Stopping; the network stays as it is",
  ]);
});

Deno.test("notify: the watchdog hears each late turn, and of many early ones every quarter of its time", async () => {
  const { sent, clock, notifier: told } = notifier({ watchdog: 30_000 });
  assert.equal(told.every, 15_000);
  told.ready(() => "well");
  assert.deepEqual(sent, ["READY=1\nSTATUS=well\nWATCHDOG=1"]);
  const beats = () => sent.filter((message) => message === "WATCHDOG=1").length;
  for (let i = 0; i < 4; i++) {
    await clock.advance(15_000);
    told.turned();
  }
  assert.equal(beats(), 4);
  for (let i = 0; i < 60; i++) {
    await clock.advance(500);
    told.turned();
  }
  assert.equal(beats(), 8);
});

Deno.test("notify: what could not be told is told with the next turn, and the trouble is logged once", () => {
  const { sent, log, way, notifier: told } = notifier();
  way.isBroken = true;
  told.ready(() => "well");
  told.turned();
  way.isBroken = false;
  told.turned();
  told.turned();
  assert.deepEqual(sent, ["READY=1\nSTATUS=well"]);
  assert.deepEqual(log.messages, ["Cannot tell the service manager: nobody listens"]);
});

Deno.test("notify: the watchdog's time is for the process that is meant, and a number", () => {
  assert.equal(watchdogTime({ usec: "30000000", pid: undefined }, 7), 30_000);
  assert.equal(watchdogTime({ usec: "30000000", pid: "7" }, 7), 30_000);
  assert.equal(watchdogTime({ usec: "30000000", pid: "8" }, 7), Infinity);
  assert.equal(watchdogTime({ usec: undefined, pid: "7" }, 7), Infinity);
  for (const usec of ["", "0", "-1", "1.5", "x", "1".repeat(17)]) {
    assert.throws(() => watchdogTime({ usec, pid: undefined }, 7), TypeError, usec);
  }
});

Deno.test("status line: peers, drift, the lease and its renewal, and what is wrong, each once", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const line = () => statusLine(host.agent);
  assert.equal(line(), `0 peers, 0 drift, lease ${host.subnet} renew in 40m`);
  await network.peer(2);
  await network.clock.advance(10 * 60_000);
  assert.equal(line(), `1 peer, 0 drift, lease ${host.subnet} renew in 30m`);
  host.store.away = true;
  await network.peer(3, { backendData: { VNI: 1, VtepMAC: "ff:ff:ff:ff:ff:ff" } });
  await network.clock.advance(3 * 3600_000);
  assert.equal(
    line(),
    `1 peer, 0 drift, lease ${host.subnet} renew now, lease-expired, store-unreachable`,
  );
});

Deno.test("status line: the renewal of a lease for a day is told in hours", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1, { leaseTtl: 24 * 3600 });
  assert.match(statusLine(host.agent), /renew in 16h$/);
});
