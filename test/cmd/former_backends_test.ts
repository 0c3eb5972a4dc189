/** What a network's config says of the backends that its hosts may still be on. */
import assert from "node:assert/strict";
import { rememberingFormer } from "../../cmd/former_backends.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { Lease } from "../../lease/lease.ts";
import type { Json } from "../../net/json.ts";
import { hostGwLease, lease, udpLease } from "../lib/overlay.ts";

const Network = "10.5.0.0/16";

const vni = (VNI: number) => ({ backendType: "vxlan", backendData: { VNI, VtepMAC: "02:00:00:00:00:07" } });
/** Hosts on each of them that are here. */
const leases = [...[1, 2, 3, 4, 5].map((VNI) => lease(VNI, vni(VNI))), udpLease(6), hostGwLease(7)];

/** The config after one change upon the other, from a network that was started with the first; with a host on each. */
function changed(...backends: { readonly [key: string]: Json }[]): { readonly [key: string]: Json } {
  return backends.map((Backend): { readonly [key: string]: Json } => ({ Network, Backend })).reduce(
    (before, after) => {
      const value = rememberingFormer({ ...before, ...after }, {
        before: parseNetworkConfig(before),
        after: parseNetworkConfig(after),
        leases,
      });
      return value as { readonly [key: string]: Json };
    },
  );
}

const [vxlan, udp, hostGw] = [{ Type: "vxlan", Port: 4789 }, { Type: "udp", Port: 9000 }, {
  Type: "host-gw",
}];

Deno.test("former backends: the latest first, with their options, none twice and none that is the present one", () => {
  assert.deepEqual(changed(vxlan, udp), { Network, Backend: udp, FormerBackends: [vxlan] });
  assert.deepEqual(changed(vxlan, udp, hostGw)["FormerBackends"], [udp, vxlan]);
  assert.deepEqual(changed(vxlan, udp, hostGw, vxlan)["FormerBackends"], [hostGw, udp]);
  assert.deepEqual(changed(vxlan, udp, vxlan, udp)["FormerBackends"], [vxlan]);
  const vnis = [1, 2, 3, 4, 5].map((VNI) => ({ Type: "vxlan", VNI }));
  assert.deepEqual(changed(...vnis)["FormerBackends"], [vnis[3], vnis[2], vnis[1]]);
});

Deno.test("former backends: another option of the same device, and what cannot be beside others, is none", () => {
  assert.deepEqual(changed(vxlan, { Type: "vxlan" }), { Network, Backend: { Type: "vxlan" } });
  assert.deepEqual(changed({ Type: "alloc" }, vxlan), { Network, Backend: vxlan });
  assert.deepEqual(changed({ Type: "of-tomorrow" }, vxlan), { Network, Backend: vxlan });
});

Deno.test("former backends: flan reads them again, and what is odd among them keeps nobody from the network", () => {
  const read = (FormerBackends: Json) => parseNetworkConfig({ Network, Backend: vxlan, FormerBackends });
  assert.deepEqual(read([udp]).formerBackends, [{ backendType: "udp", backendOptions: { Port: 9000 } }]);
  for (const odd of ["udp", [5, null, "udp", {}, { Type: "" }], { Type: "udp" }, []]) {
    assert.equal(read(odd as Json).formerBackends, undefined);
  }
  assert.deepEqual(read([udp]).unknownKeys, []);
});

Deno.test("former backends: one that no lease announces any more is forgotten, but not the one that hosts leave now", () => {
  const before = { Network, Backend: vxlan, FormerBackends: [udp, { Type: "vxlan", VNI: 7 }, hostGw] };
  const after = { ...before, Backend: { Type: "wireguard" } };
  const left = (...leases: Lease[]) => {
    const [was, is] = [parseNetworkConfig(before), parseNetworkConfig(after)];
    return (rememberingFormer(after, { before: was, after: is, leases }) as typeof after).FormerBackends;
  };
  assert.deepEqual(left(), [vxlan]);
  assert.deepEqual(left(lease(1), udpLease(2)), [vxlan, udp]);
  assert.deepEqual(left(lease(1, vni(7))), [vxlan, { Type: "vxlan", VNI: 7 }]);
  const { backendType, backendData } = hostGwLease(2);
  const beside = lease(1, { otherPlanes: [{ backendType, backendData, sends: false }] });
  assert.deepEqual(left(beside), [vxlan, hostGw]);
});
