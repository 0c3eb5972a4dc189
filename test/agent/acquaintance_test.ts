/** A host asks whether its peers know its key or its nonce, answers those who ask, and nobody answers an answer. */
import assert from "node:assert/strict";
import { Acquaintance } from "../../agent/acquaintance.ts";
import { planeName } from "../../agent/planes.ts";
import { ipsec } from "../../backends/ipsec.ts";
import type { Plane } from "../../backends/several.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { OtherPlane } from "../../lease/other_planes.ts";
import { config, ipsecHost, ipsecLease, nonceOf, PRESHARED_KEY } from "../lib/overlay.ts";

const sealed: Plane = { backend: ipsec, config: config({ PSK: PRESHARED_KEY }, "ipsec") };
const tunnel: Plane = { backend: vxlan, config: config() };
const host = ipsecHost();

const own = (revision: number, nonce = nonceOf(1)) => ipsecLease(1, { revision, nonce });
const peer = (revision: number, words: Pick<OtherPlane, "heard" | "asks"> = {}) =>
  ipsecLease(2, {
    revision,
    otherPlanes: [{ backendType: "vxlan", backendData: { VNI: 1 }, sends: true, ...words }],
  });

Deno.test("acquaintance: a peer knows a nonce once it says that it heard the lease that announced it", () => {
  const known = new Acquaintance();
  assert.equal(known.isKnownTo(peer(5, { heard: 99 }), sealed), false, "nothing was announced");
  known.announced([sealed, tunnel], { own: own(10), host });
  assert.deepEqual(known.words, { asks: 10 });
  for (const [words, is] of [[{}, false], [{ heard: 9 }, false], [{ heard: 10 }, true]] as const) {
    assert.equal(known.isKnownTo(peer(11, words), sealed), is);
  }
  assert.equal(known.isKnownTo(peer(11), tunnel), true, "a plane in clear takes in what comes from anybody");
});

Deno.test("acquaintance: the same nonce in a later lease asks for nothing more, and another one does", () => {
  const known = new Acquaintance();
  for (const revision of [10, 17]) known.announced([sealed], { own: own(revision), host });
  assert.deepEqual(known.words, { asks: 10 });
  known.announced([sealed], { own: own(20, nonceOf(7)), host });
  assert.deepEqual(known.words, { asks: 20 });
  assert.equal(known.isKnownTo(peer(18, { heard: 19 }), sealed), false);
});

Deno.test("acquaintance: what peers knew before the network moved is not asked for, unless it changes", () => {
  const known = new Acquaintance();
  known.isOld(planeName(sealed));
  known.announced([sealed], { own: own(10), host });
  assert.deepEqual([known.words, known.isKnownTo(peer(3), sealed)], [{}, true]);
  known.announced([sealed], { own: own(20, nonceOf(7)), host });
  assert.deepEqual([known.words, known.isKnownTo(peer(3), sealed)], [{ asks: 20 }, false]);
});

Deno.test("acquaintance: who asks is answered with all that was read, and an answer asks for no other one", () => {
  const known = new Acquaintance();
  known.tookIn([]);
  known.tookIn([peer(12), ipsecLease(3, { revision: 30 })]);
  assert.deepEqual(known.words, {}, "nobody asks");
  known.tookIn([peer(12, { asks: 11 }), ipsecLease(3, { revision: 30 })]);
  assert.deepEqual(known.words, { heard: 30 });
  known.tookIn([peer(40, { asks: 11, heard: 30 })]);
  assert.deepEqual(known.words, { heard: 30 });
  known.tookIn([peer(50, { asks: 31 })]);
  assert.deepEqual(known.words, { heard: 50 });
});

Deno.test("acquaintance: of a plane that is left nothing is known any more", () => {
  const known = new Acquaintance();
  known.announced([sealed], { own: own(10), host });
  known.keep(new Set([planeName(tunnel)]));
  assert.deepEqual([known.words, known.isKnownTo(peer(11, { heard: 99 }), sealed)], [{}, false]);
});
