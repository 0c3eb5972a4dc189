/** Whom a host can measure, by which names and addresses, and what of it becomes a problem. */
import assert from "node:assert/strict";
import { judgePeers } from "../../../agent/health/peer_health.ts";
import {
  largestPacket,
  mayWatch,
  type Measurable,
  ownAddress,
  peerCalled,
  probeAddress,
  targetsOf,
} from "../../../agent/probing/targets.ts";
import { SignsOfLife } from "../../../agent/probing/signs_of_life.ts";
import { halvesOf } from "../../../agent/probing/halves.ts";
import { dualStack } from "../../../backends/dual.ts";
import { hostGw } from "../../../backends/host_gw.ts";
import { vxlan } from "../../../backends/vxlan.ts";
import type { Lease } from "../../../lease/lease.ts";
import type { PeerState } from "../../../probe/watch.ts";
import { host, lease, view } from "../../lib/overlay.ts";
import { dualHost, dualView, ipv6Host, ipv6View } from "../../lib/stacks.ts";

const seen = view([2, lease(3, { node: undefined })]);
const plan = vxlan.plan(seen, host());
const place = { family: 4, isHalf: false, own: seen.own, plan, host: host(), device: "flan.1" } as const;

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

Deno.test("probe health: of a dual-stack network each half is judged by itself, and named", () => {
  const [, six] = halvesOf(dual());
  const mute: PeerState = { address: "", isUp: false, rtt: undefined, how: "udp", mtu: 0, tooLarge: 0 };
  const states = new Map(["fd00:5:0:2::/64", "fd00:5:0:3::/64"].map((subnet) => [subnet, mute]));
  const { found } = judgePeers(six!.plan.peers, { states, isAlive: () => true, half: six!.own });
  assert.deepEqual(found.map(({ code, subject }) => `${code} ${subject}`), [
    "overlay-unreachable fd00:5:0:1::/64",
    "peer-unreachable fd00:5:0:2::/64",
    "peer-unreachable fd00:5:0:3::/64",
  ]);
  assert.match(found[0]!.message, /over the network by IPv6, and 2 should/);
  assert.match(found[1]!.message, /^Peer fd00:5:0:2::\/64 \(2001:db8::2\) answers neither/);
});

/** A dual-stack network of three hosts with vxlan, seen from the first. */
function dual(view3 = dualView(view([2, 3]))) {
  const backend = dualStack(vxlan);
  const host = dualHost();
  const { network: config, own } = view3;
  return { config, own, host, plan: backend.plan(view3, host), devices: backend.devices(config) };
}

const addressesOf = ({ plan: { peers }, device }: Measurable) =>
  peers.map(({ lease }) => probeAddress(lease, device));

Deno.test("halves: each family is measured from its own address, over its own device, with its own MTU", () => {
  const [four, six, ...more] = halvesOf(dual());
  assert.deepEqual(more, []);
  assert.deepEqual([four!.family, four!.device, ownAddress(four!), largestPacket(four!), four!.isHalf], [
    4,
    "flan.1",
    "10.5.1.0",
    1450,
    true,
  ]);
  assert.deepEqual([six!.family, six!.device, ownAddress(six!), largestPacket(six!), six!.isHalf], [
    6,
    "flan-v6.1",
    "fd00:5:0:1::",
    1430,
    true,
  ]);
  assert.deepEqual(addressesOf(four!), ["10.5.2.0", "10.5.3.0"]);
  assert.deepEqual(addressesOf(six!), ["fd00:5:0:2::", "fd00:5:0:3::"]);
});

Deno.test("halves: a peer without a second half, or with one that is refused, is a peer by IPv4 alone", () => {
  const seen = dualView(view([2, 3, 4]));
  const peers = [lease(2), { ...seen.peers[1]!, backendV6Data: { VNI: 1 } }, seen.peers[2]!];
  const [four, six] = halvesOf(dual({ ...seen, peers }));
  assert.equal(four!.plan.peers.length, 3);
  assert.deepEqual(addressesOf(six!), ["fd00:5:0:4::"]);
});

Deno.test("halves: IPv6 alone is no half, and a host without an underlay of IPv6 has IPv4 alone", () => {
  const seen = ipv6View(view([2]));
  const [only, ...more] = halvesOf({
    config: seen.network,
    own: seen.own,
    host: ipv6Host(),
    plan: vxlan.plan(seen, ipv6Host()),
    devices: vxlan.devices(seen.network),
  });
  assert.deepEqual([only!.family, only!.isHalf, ownAddress(only!), addressesOf(only!), more], [
    6,
    false,
    "fd00:5:0:1::",
    ["fd00:5:0:2::"],
    [],
  ]);
  assert.deepEqual(halvesOf({ ...dual(), host: host() }).map(({ family }) => family), [4]);
});

Deno.test("halves: without devices the underlay's addresses of each family stand for the hosts", () => {
  const seen = dualView(view([lease(2, { backendType: "host-gw", backendData: undefined })]));
  const backend = dualStack(hostGw);
  const plan = backend.plan(seen, dualHost());
  const joined = { config: seen.network, own: seen.own, host: dualHost(), plan, devices: [] };
  const [four, six] = halvesOf(joined);
  assert.deepEqual([ownAddress(four!), addressesOf(four!)], ["192.0.2.1", ["192.0.2.2"]]);
  assert.deepEqual([ownAddress(six!), addressesOf(six!)], ["2001:db8::1", ["2001:db8::2"]]);
});

for (
  const [name, families] of [
    ["fd00:5:0:2::/64", [6]],
    ["FD00:5:0:2:0::7", [6]],
    ["2001:DB8:0::2", [6]],
    ["10.5.2.9", [4]],
    ["node2", [4, 6]],
    ["fd00:5:0:9::1", []],
  ] as const
) {
  Deno.test(`halves: "${name}" means a peer by ${families.join(" and ") || "none"}`, () => {
    const called = halvesOf(dual()).filter(({ plan }) => peerCalled(plan.peers, name) !== undefined);
    assert.deepEqual(called.map(({ family }) => family), families);
  });
}
