/** A change of the network leaves an IPv6 subnet for each host that is in it. */
import assert from "node:assert/strict";
import { parseNetworkConfig } from "../../lease/network.ts";
import { requireRoom } from "../../lease/room.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import type { Json } from "../../net/json.ts";

const v4 = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
/** A network with so many IPv6 subnets beside those of IPv4. */
const dual = (count: number): Json => ({
  ...v4,
  EnableIPv6: true,
  IPv6Network: "fd00:5::/48",
  IPv6SubnetMin: "fd00:5:0:1::",
  IPv6SubnetMax: `fd00:5:0:${count.toString(16)}::`,
});
const records = [1, 2, 3].map((n): LeaseRecord => ({
  key: `10.5.${n}.0-24`,
  value: { PublicIP: `192.0.2.${n}`, BackendType: "vxlan" },
  node: `node-${n}`,
  expires: 1e15,
  revision: n,
}));

function change(before: Json, after: Json): void {
  const snapshot = { config: undefined, records, past: [], revision: 9 };
  requireRoom({ before: parseNetworkConfig(before), after: parseNetworkConfig(after) }, snapshot);
}

Deno.test("room: a change that leaves hosts without an IPv6 subnet is refused with both numbers", () => {
  for (const before of [v4, dual(3)]) {
    assert.throws(() => change(before, dual(2)), { code: "invalid", message: /2 IPv6 subnets for 3 leases/ });
    change(before, dual(3));
  }
  change(dual(2), v4);
});

Deno.test("room: what is scarce already does not keep anybody from changing something else, or from mending it", () => {
  change(dual(1), dual(1));
  change(dual(1), dual(2));
  assert.throws(() => change(dual(2), dual(1)), /1 IPv6 subnets/);
});
