/** Two data planes at once: who is sent to by which, and that neither is in the other's way. */
import assert from "node:assert/strict";
import { hostGw } from "../../backends/host_gw.ts";
import { ipsec } from "../../backends/ipsec.ts";
import {
  admittedBy,
  announces,
  carrierOf,
  FREELY,
  type Plane,
  type Planes,
  several,
} from "../../backends/several.ts";
import { udp } from "../../backends/udp.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { drift } from "../../kernel/drift.ts";
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import type { Lease } from "../../lease/lease.ts";
import {
  config,
  host,
  hostGwLease,
  ipsecHost,
  ipsecLease,
  ipsecView,
  lease,
  macOf,
  owner,
  PRESHARED_KEY,
  udpLease,
  view,
} from "../lib/overlay.ts";

const tunnel: Plane = { backend: vxlan, config: config(), identity: { macs: [macOf(1)], publicKeys: [] } };
const other: Plane = {
  backend: vxlan,
  config: config({ VNI: 7 }),
  identity: { macs: [macOf(99)], publicKeys: [] },
};
const proxied: Plane = { backend: udp, config: config({}, "udp") };
const guarded: Plane = { backend: ipsec, config: config({ PSK: PRESHARED_KEY }, "ipsec") };
const plain: Plane = { backend: hostGw, config: config({}, "host-gw") };

/** The plan with host `n`'s lease as each says. */
function planOf(
  planes: readonly [Plane, ...Plane[]],
  leases: readonly Lease[],
  maySend?: (plane: Plane) => boolean,
) {
  const [{ config: network }] = planes;
  return several(planes, { ...FREELY, ...maySend && { maySend } }).plan({
    ...view(leases),
    network,
    peers: leases,
  }, host());
}

const keys = (objects: readonly KernelObject[], kind: KernelObject["kind"]) =>
  objects.filter((object) => object.kind === kind).map(keyOf);

Deno.test("several planes: each peer has the routes of the plane that its lease announces, and all devices stand", () => {
  const { objects, peers, refused } = planOf([plain, tunnel], [lease(2), hostGwLease(3)]);
  const routes = objects.filter((object) => object.kind === "route");
  assert.deepEqual(routes.map(({ destination, link }) => [destination, link]), [
    ["10.5.3.0/24", "eth0"],
    ["10.5.2.0/24", "flan.1"],
  ]);
  assert.deepEqual(peers.map(({ way }) => way), ["vxlan", "host-gw"]);
  assert.deepEqual([keys(objects, "link"), keys(objects, "nexthop").length, refused], [
    ["link flan.1"],
    1,
    [],
  ]);
  const known = new Set(objects.map(keyOf));
  assert.equal(known.size, objects.length);
  assert.ok(peers.every((peer) => peer.keys.every((key) => known.has(key))));
});

Deno.test("several planes: the route of a whole network becomes one for each peer that still needs it", () => {
  const { objects, peers } = planOf([tunnel, proxied], [lease(2), udpLease(3)]);
  const routes = objects.filter((object) => object.kind === "route");
  assert.deepEqual(routes.map(({ destination, link }) => [destination, link]), [
    ["10.5.2.0/24", "flan.1"],
    ["10.5.3.0/24", "flan0"],
  ]);
  assert.ok(peers[1]!.keys.includes("route 10.5.3.0/24 metric 0"));
  assert.equal(
    keys(objects, "proxy-route").length,
    2,
    "who sends by the new one already is known to the proxy",
  );
});

Deno.test("several planes: two VXLAN networks share no nexthop, and the MACs are each device's own", () => {
  const moved = lease(3, { backendData: { VNI: 7, VtepMAC: macOf(3) } });
  const { objects } = planOf([other, tunnel], [lease(2), moved]);
  const nexthops = objects.filter((object) => object.kind === "nexthop");
  assert.deepEqual(nexthops.map(({ link }) => link).sort(), ["flan.1", "flan.7"]);
  const links = objects.filter((object) => object.kind === "link");
  assert.deepEqual(links.map(({ name, mac }) => [name, mac]), [["flan.7", macOf(99)], ["flan.1", macOf(1)]]);
});

Deno.test("several planes: all devices, and what containers are told, are as narrow as the narrowest", () => {
  const planes = [proxied, tunnel] as const;
  const links = planOf([...planes], [udpLease(2)]).objects.filter((object) => object.kind === "link");
  assert.deepEqual(links.map(({ mtu }) => mtu), [1450, 1450]);
  assert.equal(several([...planes]).mtu(proxied.config, host()), 1450);
});

Deno.test("several planes: what is secret in any of them is known as long as it is there", () => {
  const PSK = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";
  const sealed: Plane = { backend: wireguard, config: config({ PSK }, "wireguard") };
  const secrets = several([tunnel, sealed]).secrets!(tunnel.config);
  assert.deepEqual([...secrets.values()], [new Uint8Array(32).fill(5)]);
});

Deno.test("several planes: a host that stays behind reaches those that moved by what they have beside it", () => {
  const otherPlanes = [{ backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(3) }, sends: false }];
  const moved = hostGwLease(3, { otherPlanes });
  const { objects, peers, refused } = planOf([tunnel], [moved]);
  assert.deepEqual(keys(objects, "route"), ["route 10.5.3.0/24 metric 0"]);
  assert.deepEqual([peers[0]!.lease, peers[0]!.way, refused], [moved, "vxlan", []]);
});

Deno.test("several planes: nobody is sent to by a plane of which the own lease has not spoken, unless there is no other", () => {
  const planes: [Plane, Plane] = [plain, tunnel];
  const carriers = { planes, host: host(), ...FREELY, maySend: (plane: Plane) => plane === tunnel };
  const beside = [{ backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(3) }, sends: true }];
  assert.equal(carrierOf(hostGwLease(3, { otherPlanes: beside }), carriers), tunnel);
  assert.equal(carrierOf(hostGwLease(3), carriers), plain);
  assert.equal(carrierOf(lease(3, { backendType: "nobody-knows" }), carriers), plain);
});

Deno.test("several planes: a lease announces a plane by its backend and, of VXLAN, its VNI", () => {
  const said = (one: Lease) => [tunnel, other, proxied, plain].map((plane) => announces(one, plane, host()));
  assert.deepEqual(said(lease(2)), [true, false, false, false]);
  assert.deepEqual(said(lease(2, { backendData: { vni: 7 } })), [false, true, false, false]);
  assert.deepEqual(said(udpLease(2)), [false, false, true, false]);
  assert.deepEqual(said(hostGwLease(2)), [false, false, false, true]);
});

const beside = (
  sends: boolean,
) => [{ backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(3) }, sends }];
const sealedView = (peers: readonly Lease[], own = ipsecLease(1)) => ({ ...ipsecView([]), own, peers });
const exceptions = (planes: Planes, seen: ReturnType<typeof sealedView>) =>
  admittedBy(planes, seen, ipsecHost()).map(keyOf);

Deno.test("several planes: the guards of ipsec let in those who send by another plane, and nobody else once all have moved", () => {
  const [moves, hasMoved] = [true, false].map((sends) => ipsecLease(3, { otherPlanes: beside(sends) }));
  const planes: Planes = [guarded, tunnel];
  assert.deepEqual(exceptions(planes, sealedView([lease(2), moves!, ipsecLease(4)])), [
    "xfrm-policy in 10.5.2.0/24 10.5.1.0/24",
    "xfrm-policy fwd 10.5.2.0/24 10.5.1.0/24",
    "xfrm-policy in 10.5.3.0/24 10.5.1.0/24",
    "xfrm-policy fwd 10.5.3.0/24 10.5.1.0/24",
  ]);
  assert.deepEqual(exceptions(planes, sealedView([hasMoved!, ipsecLease(4)])), []);
  assert.deepEqual(exceptions([guarded], sealedView([moves!, lease(2)])), [], "it has nothing else");
});

Deno.test("several planes: before this host announces ipsec, or when it is to leave it, any peer may come by the other plane", () => {
  const peers = [ipsecLease(2), ipsecLease(3)];
  assert.equal(exceptions([guarded, tunnel], sealedView(peers, lease(1))).length, 4);
  assert.equal(exceptions([tunnel, guarded], sealedView(peers)).length, 4);
  assert.equal(exceptions([tunnel, plain], sealedView(peers)).length, 0, "nobody keeps anything out");
});

Deno.test("several planes: what ipsec keeps out is kept out after its exceptions are there, and no more before they go", () => {
  const seen = sealedView([lease(2), ipsecLease(3)]);
  const { objects } = several([guarded, tunnel]).plan({ ...seen, network: guarded.config }, ipsecHost());
  const mine = { ...owner, links: ["flan.ipsec", "flan.1"] };
  const rules = (wanted: readonly KernelObject[], there: readonly KernelObject[]) =>
    drift(wanted, there, mine).changes.flatMap(({ object }) =>
      object.kind === "xfrm-policy" && object.interfaceId === 0 ? [object.action] : []
    );
  const made = rules(objects, []);
  assert.deepEqual(made, ["pass", "pass", "pass", "pass", "block", "block"]);
  assert.deepEqual(rules([], objects), made.toReversed());
});

Deno.test("several planes: a peer that does not know this host yet is sent to by the former plane, where there is one", () => {
  const planes: [Plane, Plane] = [guarded, tunnel];
  const carriers = {
    planes,
    host: ipsecHost(),
    ...FREELY,
    maySend: (plane: Plane, to?: Lease) => plane === tunnel || to?.subnet !== "10.5.3.0/24",
  };
  assert.equal(carrierOf(ipsecLease(3, { otherPlanes: beside(true) }), carriers), tunnel);
  assert.equal(carrierOf(ipsecLease(4, { otherPlanes: beside(true) }), carriers), guarded);
  assert.equal(carrierOf(ipsecLease(3), carriers), guarded, "there is no other way");
});

Deno.test("several planes: keys change by time as long as one of them wants that", () => {
  const backend = several([tunnel, guarded]);
  assert.equal(backend.epochs!(tunnel.config), 24 * 3600 * 1000);
  assert.equal(several([tunnel, plain]).epochs, undefined);
});
