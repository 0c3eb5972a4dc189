/** Whom a host can measure, by which names and addresses, and what of it becomes a problem. */
import assert from "node:assert/strict";
import { judgePeers } from "../../../agent/health/peer_health.ts";
import {
  largestPacket,
  mayWatch,
  ownAddress,
  peerCalled,
  targetsOf,
} from "../../../agent/probing/targets.ts";
import { SignsOfLife } from "../../../agent/probing/signs_of_life.ts";
import { vxlan } from "../../../backends/vxlan.ts";
import type { Lease } from "../../../lease/lease.ts";
import type { PeerState } from "../../../probe/watch.ts";
import { host, lease, view } from "../../lib/overlay.ts";
import { dualHost, dualView, ipv6Host, ipv6View } from "../../lib/stacks.ts";

const seen = view([2, lease(3, { node: undefined })]);
const plan = vxlan.plan(seen, host());
const place = { own: seen.own, plan, host: host(), device: "flan.1" };

Deno.test("probe targets: the overlay's addresses where there is a device, the underlay's where not", () => {
  assert.deepEqual(targetsOf(plan, "flan.1"), [
    { address: "10.5.2.0", isFlan: true },
    { address: "10.5.3.0", isFlan: false },
  ]);
  assert.deepEqual(targetsOf(plan, "").map(({ address }) => address), ["192.0.2.2", "192.0.2.3"]);
  assert.deepEqual([ownAddress(place), ownAddress({ ...place, device: "" })], ["10.5.1.0", "192.0.2.1"]);
  assert.equal(ownAddress({ ...place, own: undefined }), undefined);
});

Deno.test("probe targets: the largest packet is the device's MTU, or the underlay's", () => {
  assert.equal(largestPacket(place), 1450);
  assert.equal(largestPacket({ ...place, device: "" }), 1500);
  assert.equal(largestPacket({ ...place, device: "", host: host({ mtu: 1400 }) }), 1400);
});

Deno.test("probe targets: peers that the kernel asks for one by one are not watched", () => {
  assert.equal(mayWatch(plan), true);
  assert.equal(mayWatch(vxlan.plan(view([2], { Mode: "on-demand" }), host())), false);
});

for (
  const [name, subnet] of [
    ["10.5.2.0/24", "10.5.2.0/24"],
    ["10.5.2.77", "10.5.2.0/24"],
    ["192.0.2.3", "10.5.3.0/24"],
    ["node2", "10.5.2.0/24"],
    ["nod", undefined],
    ["10.5.1.7", undefined],
    ["10.5.2.0/25", undefined],
    ["", undefined],
  ] as const
) {
  Deno.test(`probe targets: "${name}" is ${subnet ?? "nobody"}`, () => {
    assert.equal(peerCalled(plan.peers, name)?.lease.subnet, subnet);
  });
}

Deno.test("probe health: a host is cut off where two or more that should answer do not, and nobody else does", () => {
  const up: PeerState = { address: "", isUp: true, rtt: 1, how: "udp", mtu: 1450, tooLarge: 0 };
  const mute: PeerState = { ...up, isUp: false, mtu: 0 };
  const peers = (lease2: Partial<Lease>) =>
    vxlan.plan(view([lease(2, lease2), 3, lease(4, { node: undefined })]), host()).peers;
  const isCutOff = (
    states: readonly (PeerState | undefined)[],
    { isAlive = () => true, ...lease2 }: Partial<Lease> & { isAlive?: (lease: Lease) => boolean } = {},
  ) => {
    const known = new Map(
      states.flatMap((state, i) => state ? [[`10.5.${i + 2}.0/24`, state] as const] : []),
    );
    const { found } = judgePeers(peers(lease2), { states: known, isAlive });
    return found.some(({ code }) => code === "overlay-unreachable");
  };
  assert.equal(isCutOff([mute, mute, mute]), true);
  assert.equal(isCutOff([mute, mute]), true, "what is not known yet is no answer");
  assert.equal(isCutOff([mute, mute, up]), false, "a flannel host that answers");
  assert.equal(isCutOff([mute, { ...mute, isUp: undefined }]), false, "not known yet");
  assert.equal(isCutOff([mute]), false, "one may be off");
  assert.equal(isCutOff([mute, undefined, mute]), false, "one and a flannel host that never answered");
  assert.equal(isCutOff([mute, undefined, { ...mute, mtu: 1450 }]), true, "a flannel host that did");
  assert.equal(isCutOff([mute, mute, mute], { node: undefined }), false, "one and two flannel hosts");
  const isAlive = () => false;
  const fell = { ...mute, mtu: 1450 };
  assert.equal(isCutOff([mute, mute], { isAlive }), false, "after a power cut");
  assert.equal(isCutOff([fell, mute], { isAlive }), false, "one that answered, and one that may be off");
  assert.equal(isCutOff([fell, fell], { isAlive }), true, "both have answered before");
  assert.equal(isCutOff([fell, fell, up], { isAlive }), false);
});

Deno.test("probe health: silence and holes are problems of their peer, what is not known is none", () => {
  const state: PeerState = { address: "", isUp: true, rtt: 1, how: "udp", mtu: 1450, tooLarge: 0 };
  const judge = (change: Partial<PeerState>) =>
    judgePeers(plan.peers, {
      states: new Map([["10.5.2.0/24", { ...state, ...change }]]),
      isAlive: () => true,
    }).found;
  assert.deepEqual(judge({}), []);
  assert.deepEqual(judge({ isUp: undefined }), []);
  assert.deepEqual(judge({ isUp: false }), [{
    code: "peer-unreachable",
    subject: "10.5.2.0/24",
    message: "Peer 10.5.2.0/24 (192.0.2.2) answers neither probes nor ICMP echoes over the network",
  }]);
  const [hole] = judge({ mtu: 1300, tooLarge: 1301 });
  assert.deepEqual([hole!.code, hole!.subject], ["path-mtu-hole", "10.5.2.0/24"]);
  assert.match(
    hole!.message,
    /1301 bytes or more from this host to 10\.5\.2\.0\/24 .*1300 bytes get through/,
  );
});

Deno.test("signs of life: all run, unless this host has just booted", () => {
  const signs = new SignsOfLife({ afterBoot: false });
  signs.look([lease(2)]);
  assert.equal(signs.has(lease(2)), true);
});

Deno.test("signs of life: after a boot a lease that is new or written since the first look, and no other", () => {
  const signs = new SignsOfLife({ afterBoot: true });
  const [old, other] = [lease(2, { revision: 7 }), lease(3, { revision: 8 })];
  assert.equal(signs.has(old), false, "before the first look nobody knows");
  signs.look([old]);
  signs.look([old, other]);
  assert.deepEqual([old, { ...old, revision: 9 }, other].map((one) => signs.has(one)), [false, true, true]);
});

Deno.test("targets: a host of a network of IPv6 alone probes nobody, and of a dual-stack one by IPv4", () => {
  const six = ipv6View(view([2]));
  assert.equal(ownAddress({ ...place, own: six.own, host: ipv6Host(), device: "flan-v6.1" }), undefined);
  assert.equal(ownAddress({ ...place, own: dualView(view([2])).own, host: dualHost() }), "10.5.1.0");
});
