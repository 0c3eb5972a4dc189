/** By what peers' packets come in: the doctor judges the packet filter for these, and for no others. */
import assert from "node:assert/strict";
import type { Backend, Host } from "../../backends/backend.ts";
import { dualStack } from "../../backends/dual.ts";
import { ipip } from "../../backends/ipip.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { inboundOf, probesOf } from "../../cmd/doctor/inbound.ts";
import { waysIn } from "../../cmd/doctor/ways.ts";
import type { NetworkFacts } from "../../doctor/facts.ts";
import type { InboundPacket } from "../../doctor/input_chains.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import type { View } from "../../lease/view.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import {
  config,
  host,
  ipsecHost,
  ipsecView,
  lease,
  seenAs,
  view,
  wireguardHost,
  wireguardView,
} from "../lib/overlay.ts";
import { dualHost, dualView, ipv6Host, ipv6View } from "../lib/stacks.ts";

const underlay = { link: "eth0", mtu: 1500 };

function planeOf(backend: Backend, config: NetworkConfig) {
  return { config, devices: backend.devices(config) };
}

function packetsOf(backend: Backend, { seen, of }: { seen: View; of: Host }): string[] {
  const { objects: planned } = backend.plan(seen, of);
  return inboundOf({ planned, underlay, planes: [planeOf(backend, seen.network)] }).map((packet) => {
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

function probesIn(facts: Pick<NetworkFacts, "planes" | "ways">, port: number): string[] {
  return probesOf({ ...facts, underlay }, port).map((packet) => {
    assert.equal(packet.isProbe, true);
    return `${said(packet)} by ${packet.link}`;
  });
}

Deno.test("inbound: what measures the network comes in by each family, out of the device that carries it", () => {
  const probed = (config: NetworkConfig, devices: readonly string[], port = 8473) =>
    probesIn({ planes: [{ config, devices }], ways: [] }, port);
  const { network: dual } = dualView(view([2]));
  const [four, six] = ["IPv4 8473 from the same", "IPv6 8473 from the same"];
  assert.deepEqual(probed(dual, ["flan.1", "flan-v6.1"]), [`${four} by flan.1`, `${six} by flan-v6.1`]);
  assert.deepEqual(probed(dual, ["flan-wg"]), [`${four} by flan-wg`, `${six} by flan-wg`]);
  assert.deepEqual(probed(config({}, "host-gw"), []), [`${four} by eth0`]);
  assert.deepEqual(probed(config(), ["flan.1"], 0), [], "nobody measures");
  assert.deepEqual(probed(config({}, "alloc"), []), [], "others carry the packets");
});

Deno.test("inbound: what measures the network comes in by each link that packets go to a peer by, in the clear from those next to this host", () => {
  const far = lease(9, { publicIp: "198.51.100.9" });
  const probed = (seen: View, of = host(), backend = dualStack(vxlan)) =>
    probesIn(
      { planes: [planeOf(backend, seen.network)], ways: waysIn(backend.plan(seen, of)) },
      8473,
    ).sort();
  const direct = view([2, 3], { DirectRouting: true });
  const [four, six] = ["IPv4 8473 from the same", "IPv6 8473 from the same"];
  assert.deepEqual(probed(view([2, 3])), [`${four} by flan.1`]);
  assert.deepEqual(probed(direct), [`${four} by eth0`]);
  assert.deepEqual(probed({ ...direct, peers: [...direct.peers, far] }), [
    `${four} by eth0`,
    `${four} by flan.1`,
  ]);
  const both = dualView(direct);
  assert.deepEqual(probed(both, dualHost()), [`${four} by eth0`, `${six} by eth0`]);
  const tunnelled = { ...both, network: dualView(view([2])).network };
  assert.deepEqual(probed(tunnelled, dualHost()), [`${four} by flan.1`, `${six} by flan-v6.1`]);
});

Deno.test("inbound: in mid-move packets come in by each backend, as the options of that one say", () => {
  const { network: dual } = dualView(wireguardView([], { Mode: "ipv6" }));
  const former = planeOf(wireguard, dual);
  const present = planeOf(dualStack(vxlan), dualView(view([])).network);
  const planned = [
    ...dualStack(vxlan).plan(dualView(view([])), dualHost()).objects,
    ...wireguard.plan(dualView(wireguardView([], { Mode: "ipv6" })), dualHost(keyed)).objects
      .filter(({ kind }) => kind !== "route"),
  ];
  assert.deepEqual(inboundOf({ planned, underlay, planes: [present, former] }).map(said), [
    "IPv4 8472",
    "IPv6 8472",
    "IPv6 51820 from the same",
  ]);
});
