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
  known.tookIn([peer(40, { asks: 5000, heard: 30 })]);
  assert.deepEqual(known.words, { heard: 30 }, "nobody can have read that yet");
  known.tookIn([peer(50, { asks: 31 })]);
  assert.deepEqual(known.words, { heard: 50 });
});

Deno.test("acquaintance: of a plane that is left nothing is known any more", () => {
  const known = new Acquaintance();
  known.announced([sealed], { own: own(10), host });
  known.keep(new Set([planeName(tunnel)]));
  assert.deepEqual([known.words, known.isKnownTo(peer(11, { heard: 99 }), sealed)], [{}, false]);
});

Deno.test("acquaintance: in a store that went back all is asked and answered anew, and what was known before the move stays so", () => {
  const known = new Acquaintance();
  known.storeIsAt(5000);
  known.announced([sealed], { own: own(4990), host });
  known.tookIn([peer(4995, { asks: 4980 })]);
  assert.deepEqual(known.words, { asks: 4990, heard: 4995 });
  known.storeIsAt(5001);
  assert.deepEqual(known.words, { asks: 4990, heard: 4995 });
  known.storeIsAt(103);
  known.announced([sealed], { own: own(101), host });
  assert.deepEqual(known.words, { asks: 101 });
  known.tookIn([peer(103, { asks: 102 })]);
  assert.deepEqual(known.words, { asks: 101, heard: 103 });
  const old = new Acquaintance();
  old.isOld(planeName(sealed));
  old.storeIsAt(5000);
  old.storeIsAt(103);
  old.announced([sealed], { own: own(101), host });
  assert.deepEqual([old.words, old.isKnownTo(peer(3), sealed)], [{}, true]);
});

Deno.test("acquaintance: hosts that share a store with a question of a later time write no lease after another", () => {
  const hosts = [1, 2, 3].map((n) => ({ known: new Acquaintance(), lease: peer(100 + n), said: "{}" }));
  hosts[0]!.lease = peer(101, { asks: 5000 });
  let [revision, writes] = [103, 0];
  for (let round = 0; round < 50; round++) {
    for (const host of hosts) {
      host.known.tookIn(hosts.filter((one) => one !== host).map(({ lease }) => lease));
      const said = JSON.stringify(host.known.words);
      if (said === host.said) continue;
      host.said = said;
      host.lease = peer(++revision, host.known.words);
      writes++;
    }
  }
  assert.ok(writes < 5, `${writes} writes`);
});
