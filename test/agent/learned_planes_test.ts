/** Which former planes a host that joins learns, of what its peers announce and its network's config says. */
import assert from "node:assert/strict";
import { planesToLearn } from "../../agent/learned_planes.ts";
import { planeName } from "../../agent/planes.ts";
import { backendFor } from "../../backends/registry.ts";
import type { Plane, Planes } from "../../backends/several.ts";
import type { Lease } from "../../lease/lease.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { Json } from "../../net/json.ts";
import { host, hostGwLease, lease, udpLease } from "../lib/overlay.ts";

const KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

function planeOf(Type: string, former?: readonly Json[]): Plane {
  const config = parseNetworkConfig({
    Network: "10.5.0.0/16",
    Backend: { Type },
    ...(former === undefined ? {} : { FormerBackends: former }),
  });
  return { backend: backendFor(Type), config, identity: { macs: [], publicKeys: [KEY] } };
}

function learned(
  plane: Plane,
  peers: readonly Lease[],
  more: { encrypt?: boolean; beside?: readonly Plane[] } = {},
) {
  const { beside = [], encrypt } = more;
  const planes: Planes = [plane, ...beside];
  return planesToLearn(planes, { network: plane.config, peers, host: host(), encrypt }).map((one) =>
    [planeName(one), one.config.backendOptions] as const
  );
}

const vni = (n: number, VNI: number) => lease(n, { backendData: { VNI, VtepMAC: "02:00:00:00:00:07" } });

Deno.test("learned planes: what peers announce and this host has not, each once, with the VNI that they name", () => {
  const peers = [lease(2), lease(3), hostGwLease(4), hostGwLease(5), vni(6, 7)];
  assert.deepEqual(learned(planeOf("udp"), peers), [
    ["vxlan flan.1", { VNI: 1 }],
    ["host-gw", {}],
    ["vxlan flan.7", { VNI: 7 }],
  ]);
  assert.deepEqual(learned(planeOf("vxlan"), [lease(2), lease(3)]), []);
  assert.deepEqual(learned(planeOf("udp"), [lease(2)], { beside: [planeOf("vxlan")] }), []);
});

Deno.test("learned planes: whoever has moved, or can be met on what this host has, needs none", () => {
  const otherPlanes = [{ backendType: "host-gw", backendData: undefined, sends: true }];
  assert.deepEqual(learned(planeOf("host-gw"), [lease(2, { otherPlanes })]), []);
  assert.deepEqual(learned(planeOf("udp"), [lease(2, { otherPlanes })]).length, 1);
});

Deno.test("learned planes: strangers, flannel's hosts and what cannot be told bring none, and there are never many", () => {
  assert.deepEqual(learned(planeOf("udp"), [lease(2, { node: undefined })]), []);
  assert.deepEqual(learned(planeOf("vxlan"), [udpLease(2)]), [], "alloc announces as little");
  for (const backendType of ["of-tomorrow", "extension", "alloc"]) {
    assert.deepEqual(learned(planeOf("vxlan"), [lease(2, { backendType })]), []);
  }
  for (const data of [{ VNI: 0 }, { VNI: "x" }, { VNI: 2 ** 24 }]) {
    assert.deepEqual(learned(planeOf("udp"), [lease(2, { backendData: data })]), []);
  }
  assert.equal(learned(planeOf("udp"), [2, 3, 4, 5, 6, 7].map((n) => vni(n, n))).length, 3);
});

Deno.test("learned planes: the config's word is the only one where there is any, as far as somebody is on it", () => {
  const former = [{ Type: "vxlan", VNI: 7, Port: 4789 }, { Type: "host-gw" }, { Type: "udp", Port: 9000 }];
  const plane = planeOf("wireguard", former);
  assert.deepEqual(learned(plane, [vni(2, 7), vni(3, 9), udpLease(4)]), [
    ["vxlan flan.7", { VNI: 7, Port: 4789 }],
    ["udp flan0", { Port: 9000 }],
  ]);
  const odd: Json[] = [{ Type: "of-tomorrow" }, { Type: "vxlan", VNI: 0 }, "vxlan", { Type: 5 }];
  assert.deepEqual(learned(planeOf("udp", odd), [vni(2, 7)]), []);
});

Deno.test("learned planes: an encrypted network has clear ones by its config's word alone, and --encrypt none at all", () => {
  assert.deepEqual(learned(planeOf("wireguard"), [lease(2), hostGwLease(3)]), []);
  const told = planeOf("wireguard", [{ Type: "vxlan" }]);
  assert.deepEqual(learned(told, [lease(2)]).length, 1);
  assert.deepEqual(learned(told, [lease(2)], { encrypt: true }), []);
  const sealed = lease(2, { backendType: "wireguard", backendData: { PublicKey: KEY } });
  assert.deepEqual(learned(planeOf("vxlan"), [sealed], { encrypt: true }).length, 1);
});
