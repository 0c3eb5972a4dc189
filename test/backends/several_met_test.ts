/** A plane with keys beside another one: who has met this host there is sent to by it, and who has not is asked to. */
import assert from "node:assert/strict";
import { withIdentity } from "../../backends/identity.ts";
import {
  carrierOf,
  FREELY,
  type MaySend,
  meetings,
  type Plane,
  type Planes,
  several,
} from "../../backends/several.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { peerKey } from "../../kernel/wireguard.ts";
import type { Lease } from "../../lease/lease.ts";
import type { View } from "../../lease/view.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import { config, macOf, wireguardHost, wireguardLease, wireguardView } from "../lib/overlay.ts";
import { dualHost, dualView } from "../lib/stacks.ts";

const sealed: Plane = { backend: wireguard, config: config({}, "wireguard") };
const tunnel: Plane = {
  backend: vxlan,
  config: config(),
  identity: { macs: [macOf(1)], publicKeys: [] },
};
const beside = (n: number, sends = true) => [
  { backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(n) }, sends },
];
const moving = (n: number, key = n) => wireguardLease(n, { key, otherPlanes: beside(n) });

/** The first family's device and the second one's. */
const [ON, ON6] = ["flan-wg", "flan-wg-v6"];
const peerOn = (link: string, n: number) => peerKey({ link, publicKey: publicKey(n) });

const peersIn = (objects: readonly KernelObject[]) =>
  objects.flatMap((one) => one.kind === "wireguard-peer" ? [one] : []);

/** How each peer is sent to by a host that has met those. */
function carriers(view: View, met: readonly string[], maySend: MaySend = () => true) {
  const planes: Planes = [{ ...sealed, config: view.network }, tunnel];
  const host = wireguardHost();
  const hasMet = meetings(view, { planes, host, isMet: (peer) => met.includes(peer) });
  return view.peers.map((lease) => carrierOf(lease, { planes, host, maySend, hasMet }).backend.type);
}

Deno.test("met: nobody is sent to by a plane with keys before a handshake, where there is another one", () => {
  const view = wireguardView([moving(2), moving(3), wireguardLease(4)]);
  assert.deepEqual(carriers(view, []), ["vxlan", "vxlan", "wireguard"]);
  assert.deepEqual(carriers(view, [peerOn(ON, 3)]), ["vxlan", "wireguard", "wireguard"]);
  const gone: MaySend = ({ backend }) => backend.hasKey === true;
  assert.deepEqual(carriers(view, [], gone), ["wireguard", "wireguard", "wireguard"], "no other may be used");
});

/** A dual-stack network in which peer 2 has a device for each family. */
function inBoth(change: (own: Lease) => Lease = (own) => own) {
  const { own, ...rest } = dualView(wireguardView([moving(2)]));
  const peers = rest.peers.map((lease) => ({
    ...lease,
    backendV6Data: { PublicKey: publicKey(62), Port: 51821 },
  }));
  const view: View = { ...rest, peers, own: change(own!) };
  const host = withIdentity(dualHost(), { macs: [], publicKeys: [publicKey(1), publicKey(61)] });
  const planes: Planes = [{ ...sealed, config: view.network }, {
    ...tunnel,
    config: { ...view.network, backendType: "vxlan", backendOptions: {} },
  }];
  return (met: readonly string[]) => {
    const hasMet = meetings(view, { planes, host, isMet: (peer) => met.includes(peer) });
    return carrierOf(peers[0]!, { planes, host, ...FREELY, hasMet }).backend.type;
  };
}

Deno.test("met: a peer with a device for each family has met this host when both have", () => {
  const carrier = inBoth();
  assert.equal(carrier([peerOn(ON, 2)]), "vxlan");
  assert.equal(carrier([peerOn(ON, 2), peerOn(ON6, 62)]), "wireguard");
  assert.equal(carrier([peerOn(ON, 2), peerOn(ON, 62)]), "vxlan", "the key was met on another device");
});

Deno.test("met: a host without a half in one family waits for nobody there", () => {
  const carrier = inBoth(({ subnet6: _, ...own }) => own);
  assert.equal(carrier([]), "vxlan");
  assert.equal(carrier([peerOn(ON, 2)]), "wireguard");
});

Deno.test("met: of two leases with one key the one that is refused keeps its way by the other plane", () => {
  const view = wireguardView([moving(2), moving(3, 2)]);
  const met = [peerOn(ON, 2)];
  assert.deepEqual(carriers(view, met), ["wireguard", "vxlan"]);
  const planes: Planes = [sealed, tunnel];
  const plan = several(planes, { ...FREELY, isMet: (peer) => met.includes(peer) })
    .plan(view, wireguardHost());
  const routes = plan.objects.flatMap((one) =>
    one.kind === "route" && one.destination === "10.5.3.0/24" ? [one.link] : []
  );
  assert.deepEqual(routes, ["flan.1"]);
  assert.deepEqual(plan.peers.map(({ lease, way }) => [lease.subnet, way]), [
    ["10.5.2.0/24", "wireguard"],
    ["10.5.3.0/24", "vxlan"],
  ]);
});

Deno.test("met: whoever was never met is asked for a handshake, and only by a host that has another plane", () => {
  const view = wireguardView([2, wireguardLease(3, { otherPlanes: beside(3, false) })]);
  const keepalives = (planes: Planes, met: readonly string[]) =>
    peersIn(
      several(planes, { ...FREELY, isMet: (peer) => met.includes(peer) })
        .plan({ ...view, network: planes[0].config }, wireguardHost()).objects,
    ).map(({ keepalive }) => keepalive);
  assert.deepEqual(keepalives([sealed, tunnel], [peerOn(ON, 2)]), [0, 1]);
  assert.deepEqual(keepalives([sealed], []), [0, 0], "also where a peer has not taken down what it had");
  const kept = { ...sealed, config: config({ PersistentKeepaliveInterval: 25 }, "wireguard") };
  assert.deepEqual(
    keepalives([kept, tunnel], []),
    [25, 25],
    "the network's own, at which it asks as well",
  );
});
