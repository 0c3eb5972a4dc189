/** By what peers' packets come in: the doctor judges the packet filter for these, and for no others. */
import assert from "node:assert/strict";
import type { Host } from "../../backends/backend.ts";
import { dualStack } from "../../backends/dual.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { inboundOf } from "../../cmd/doctor/inbound.ts";
import type { View } from "../../lease/view.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import { host, view, wireguardHost, wireguardView } from "../lib/overlay.ts";
import { dualHost, dualView, ipv6Host, ipv6View } from "../lib/stacks.ts";

function packetsOf(backend: typeof wireguard, { seen, of }: { seen: View; of: Host }): string[] {
  const { objects: planned } = backend.plan(seen, of);
  const underlay = { link: "eth0", mtu: 1500 };
  return inboundOf({ planned, underlay, config: seen.network }).map(({ family, port, link, isSymmetric }) => {
    assert.equal(link, "eth0");
    return `IPv${family} ${port}${isSymmetric ? " from the same" : ""}`;
  });
}

const keyed = { mac: "", publicKey: publicKey(1) };
const cases: readonly (readonly [name: string, said: string[], expected: readonly string[]])[] = [
  ["vxlan in dual stack", packetsOf(dualStack(vxlan), { seen: dualView(view([2])), of: dualHost() }), [
    "IPv4 8472",
    "IPv6 8472",
  ]],
  ["vxlan of IPv4", packetsOf(vxlan, { seen: view([2]), of: host() }), ["IPv4 8472"]],
  ["wireguard of IPv4", packetsOf(wireguard, { seen: wireguardView([2]), of: wireguardHost() }), [
    "IPv4 51820 from the same",
  ]],
  ["wireguard of IPv6", packetsOf(wireguard, { seen: ipv6View(wireguardView([2])), of: ipv6Host(keyed) }), [
    "IPv6 51821 from the same",
  ]],
  ...([
    ["separate", ["IPv4 51820 from the same", "IPv6 51821 from the same"]],
    ["auto", ["IPv4 51820 from the same", "IPv6 51820 from the same"]],
    ["ipv4", ["IPv4 51820 from the same"]],
    ["ipv6", ["IPv6 51820 from the same"]],
  ] as const).map(([Mode, expected]) => {
    const seen = dualView(wireguardView([2], { Mode }));
    return [`wireguard ${Mode}`, packetsOf(wireguard, { seen, of: dualHost(keyed) }), expected] as const;
  }),
];

for (const [name, said, expected] of cases) {
  Deno.test(`inbound: packets of ${name} come in by ${expected.join(" and by ")}`, () => {
    assert.deepEqual(said, expected);
  });
}
