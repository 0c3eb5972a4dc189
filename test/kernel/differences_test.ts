import assert from "node:assert/strict";
import { differences } from "../../kernel/differences.ts";
import type { Link, Masquerade, WireguardPeer } from "../../kernel/state.ts";

const link: Link = {
  kind: "link",
  name: "flan.1",
  type: "vxlan",
  alias: "flan 3f2a",
  mac: "02:00:00:00:00:01",
  mtu: 1450,
  up: true,
  vxlan: { vni: 1, port: 8472, local: "192.0.2.1", parent: "eth0", learning: false, gbp: false },
};
const table: Masquerade = {
  kind: "masquerade",
  family: 4,
  alias: "flan 3f2a",
  rules: [{ source: "10.5.0.0/16", action: "return" }, { action: "masquerade" }],
};
const peer: WireguardPeer = {
  kind: "wireguard-peer",
  link: "flan-wg",
  publicKey: "key",
  endpoint: "192.0.2.2:51820",
  allowedIps: ["10.5.2.0/24"],
  keepalive: 0,
  presharedKey: "",
};

const cases = [
  ["nothing", link, link, ""],
  ["a value", link, { ...link, mtu: 1300 }, "mtu is 1300, not 1450"],
  ["what is missing", link, { ...link, alias: "" }, "alias is none, not flan 3f2a"],
  ["a link that is down", link, { ...link, up: false }, "is down"],
  ["a part", link, { ...link, vxlan: { ...link.vxlan!, port: 4789 } }, "vxlan.port is 4789, not 8472"],
  ["fewer rules", table, { ...table, rules: [] }, "rules are 0, not 2"],
  ["other rules", table, { ...table, rules: table.rules.toReversed() }, "rules are other ones"],
  ["the same rules", table, { ...table, rules: [...table.rules] }, ""],
  [
    "a list of words",
    peer,
    { ...peer, allowedIps: ["10.5.2.0/24", "10.5.3.0/24"] },
    "allowedIps is 10.5.2.0/24 10.5.3.0/24, not 10.5.2.0/24",
  ],
  ["an empty list", peer, { ...peer, allowedIps: [] }, "allowedIps is none, not 10.5.2.0/24"],
] as const;

for (const [what, wanted, found, said] of cases) {
  Deno.test(`differences: ${what} is told in words`, () => {
    assert.equal(differences(wanted, found), said);
  });
}
