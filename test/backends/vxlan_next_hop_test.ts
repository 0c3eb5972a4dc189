/** The address of a tunnel's device by which a peer's subnet is reached. */
import assert from "node:assert/strict";
import { nextHopOf } from "../../backends/vxlan_next_hop.ts";
import { parseCidr } from "../../net/ip.ts";

function of(subnet: string) {
  const { family, address: id, length: prefixLength } = parseCidr(subnet);
  return nextHopOf({ family, id, gateway: subnet.split("/")[0]!, prefixLength });
}

Deno.test("next hop: of IPv4 the subnet's own address, as flannel has it", () => {
  assert.deepEqual(of("10.5.2.0/24"), { gateway: "10.5.2.0", onlink: true });
});

Deno.test("next hop: of IPv6 the same with a link-local prefix, another one for each subnet of a network", () => {
  const gateways = ["fd00:5:0:1::/64", "fd00:5:0:2::/64", "fd3f:5:0:2::/64", "2001:db8:5:0:2::/80"].map(of);
  assert.deepEqual(gateways.map(({ gateway }) => gateway), [
    "fe80:5:0:1::",
    "fe80:5:0:2::",
    "febf:5:0:2::",
    "fe81:db8:5:0:2::",
  ]);
  assert.ok(gateways.every(({ onlink }) => !onlink));
});
