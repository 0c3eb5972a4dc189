/** Who is waited for during a move, and how often the kernel is read for it. */
import assert from "node:assert/strict";
import { Strangers } from "../../agent/strangers.ts";
import { ipsec } from "../../backends/ipsec.ts";
import type { Carriers, Plane } from "../../backends/several.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import type { Lease } from "../../lease/lease.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import {
  config,
  ipsecHost,
  ipsecLease,
  macOf,
  PRESHARED_KEY,
  wireguardHost,
  wireguardLease,
} from "../lib/overlay.ts";

const tunnel: Plane = { backend: vxlan, config: config() };
const keyed: Plane = { backend: wireguard, config: config({}, "wireguard") };
const picky: Plane = { backend: ipsec, config: config({ PSK: PRESHARED_KEY }, "ipsec") };

const otherPlanes = [{ backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(3) }, sends: true }];
const peers = [wireguardLease(2, { otherPlanes }), wireguardLease(3, { otherPlanes })];
const having = (met: readonly Lease[]): Carriers => ({
  planes: [keyed, tunnel],
  host: wireguardHost(),
  maySend: () => true,
  hasMet: (lease) => met.includes(lease),
});

Deno.test("strangers: who has shaken no hands is looked for ever more rarely, until all have or the move is over", async () => {
  const clock = new FakeClock();
  const strangers = new Strangers(clock);
  assert.equal(strangers.nextIn(), Infinity);
  const waits: number[] = [];
  for (let i = 0; i < 40; i++) {
    strangers.judge(peers, having([]), true);
    waits.push(Math.round(strangers.nextIn()));
    await clock.advance(strangers.nextIn());
  }
  assert.deepEqual(strangers.subnets, ["10.5.2.0/24", "10.5.3.0/24"]);
  assert.deepEqual([waits[0], waits.at(-1)], [500, 30_000]);
  assert.deepEqual(waits, waits.toSorted((a, b) => a - b));
  strangers.judge(peers, having([peers[0]!]), true);
  assert.deepEqual(
    [strangers.subnets, strangers.nextIn()],
    [["10.5.3.0/24"], 500],
    "somebody else may follow",
  );
  strangers.forget();
  assert.deepEqual([strangers.subnets, strangers.nextIn()], [[], Infinity]);
  strangers.judge(peers, having(peers), true);
  assert.deepEqual([strangers.subnets, strangers.nextIn()], [[], Infinity]);
});

Deno.test("strangers: news puts no look off, and a look that came to nothing is not due for ever", async () => {
  const clock = new FakeClock();
  const strangers = new Strangers(clock);
  strangers.judge(peers, having([]), false);
  await clock.advance(300);
  strangers.judge(peers, having([]), false);
  assert.equal(strangers.nextIn(), 200);
  await clock.advance(200);
  assert.equal(strangers.nextIn(), 0);
  strangers.judge(peers, having([]), false);
  assert.equal(strangers.nextIn(), 500);
});

Deno.test("strangers: who is to know a nonce is waited for, and says so by a lease", () => {
  const strangers = new Strangers(new FakeClock());
  const nonceKnown: Carriers = {
    planes: [picky, tunnel],
    host: ipsecHost(),
    maySend: (plane, to) => plane === tunnel || to?.subnet !== "10.5.3.0/24",
  };
  strangers.judge([2, 3].map((n) => ipsecLease(n, { otherPlanes })), nonceKnown, true);
  assert.deepEqual([strangers.subnets, strangers.nextIn()], [["10.5.3.0/24"], Infinity]);
});
