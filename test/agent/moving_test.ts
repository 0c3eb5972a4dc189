/** What a host that moves says in its lease, by what the store says of it. */
import assert from "node:assert/strict";
import { Moving } from "../../agent/moving.ts";
import { ipsec } from "../../backends/ipsec.ts";
import type { Plane } from "../../backends/several.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { config, ipsecHost, ipsecLease, macOf, PRESHARED_KEY } from "../lib/overlay.ts";

const sealed: Plane = { backend: ipsec, config: config({ PSK: PRESHARED_KEY }, "ipsec") };
const tunnel: Plane = { backend: vxlan, config: config() };
const host = ipsecHost();

Deno.test("moving: after a restore of the store a host asks by the revisions that it has now", () => {
  const otherPlanes = [{ backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(1) }, sends: true }];
  const own = (revision: number) => ipsecLease(1, { revision, otherPlanes });
  const moving = new Moving(new FakeClock());
  moving.adopt(sealed, undefined);
  moving.resume([tunnel], { lease: own(4990), host, encrypt: undefined });
  const askedAt = (revision: number, lease: number) => {
    moving.heard(own(lease), { host, revision });
    return moving.announcement(host).otherPlanes?.map(({ asks }) => asks);
  };
  assert.deepEqual(askedAt(5000, 4990), [4990]);
  assert.deepEqual(askedAt(5001, 4995), [4990], "it says the same as before");
  assert.deepEqual(askedAt(103, 101), [101]);
});
