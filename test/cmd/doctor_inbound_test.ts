/** By what peers' packets come in: the doctor judges the packet filter for these, and for no others. */
import assert from "node:assert/strict";
import type { Host } from "../../backends/backend.ts";
import { dualStack } from "../../backends/dual.ts";
import { ipip } from "../../backends/ipip.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { inboundOf, probesOf } from "../../cmd/doctor/inbound.ts";
import type { InboundPacket } from "../../doctor/input_chains.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import type { View } from "../../lease/view.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import {
  config,
  host,
  ipsecHost,
  ipsecView,
  seenAs,
  view,
  wireguardHost,
  wireguardView,
} from "../lib/overlay.ts";
import { dualHost, dualView, ipv6Host, ipv6View } from "../lib/stacks.ts";

function packetsOf(backend: typeof wireguard, { seen, of }: { seen: View; of: Host }): string[] {
  const { objects: planned } = backend.plan(seen, of);
  const underlay = { link: "eth0", mtu: 1500 };
  return inboundOf({ planned, underlay, config: seen.network }).map((packet) => {
    assert.equal(packet.link, "eth0");
    assert.equal(packet.isProbe, false);
    return said(packet);
  });
}

function said({ family, payload, isSymmetric }: InboundPacket): string {
  const what = payload.protocol === "udp" ? payload.port : payload.protocol;
  return `IPv${family} ${what}${isSymmetric ? " from the same" : ""}`;
}

const keyed = { mac: "", publicKey: publicKey(1) };
const cases: readonly (readonly [name: string, said: string[], expected: readonly string[]])[] = [
  ["ipip", packetsOf(ipip, { seen: seenAs("ipip")([2]), of: host() }), ["IPv4 ipip from the same"]],
  ["ipsec", packetsOf(ipsec, { seen: ipsecView([2]), of: ipsecHost() }), ["IPv4 esp from the same"]],
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
  ["ipsec in UDP", packetsOf(ipsec, { seen: ipsecView([2], { UDPEncap: true }), of: ipsecHost() }), [
    "IPv4 4500 from the same",
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

Deno.test("inbound: what measures the network comes in by each family, out of the device that carries it", () => {
  const probed = (config: NetworkConfig, devices: readonly string[], port = 8473) =>
    probesOf({ config, devices, underlay: { link: "eth0", mtu: 1500 } }, port).map((packet) => {
      assert.equal(packet.isProbe, true);
      return `${said(packet)} by ${packet.link}`;
    });
  const { network: dual } = dualView(view([2]));
  const [four, six] = ["IPv4 8473 from the same", "IPv6 8473 from the same"];
  assert.deepEqual(probed(dual, ["flan.1", "flan-v6.1"]), [`${four} by flan.1`, `${six} by flan-v6.1`]);
  assert.deepEqual(probed(dual, ["flan-wg"]), [`${four} by flan-wg`, `${six} by flan-wg`]);
  assert.deepEqual(probed(config({}, "host-gw"), []), [`${four} by eth0`]);
  assert.deepEqual(probed(config(), ["flan.1"], 0), [], "nobody measures");
  assert.deepEqual(probed(config({}, "alloc"), []), [], "others carry the packets");
});
