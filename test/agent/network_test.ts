import assert from "node:assert/strict";
import { networkIn, requireOutside } from "../../agent/network.ts";
import { parseNetworkConfig } from "../../lease/network.ts";

const config = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
const underlay = {
  link: "eth0",
  address: "10.6.0.1",
  up: true,
  mtu: 1500,
  gateways: ["10.6.0.254"],
  onLink: [],
  offLink: [],
};

Deno.test("network: one beside the host's own address and gateways is joined", () => {
  requireOutside(config.network, underlay);
});

Deno.test("network: one that holds the host's own address is not joined", () => {
  assert.throws(() => requireOutside(config.network, { ...underlay, address: "10.5.77.1" }), {
    code: "invalid",
    message: "Cannot join network 10.5.0.0/16: it holds this host's own address 10.5.77.1 on eth0",
  });
});

Deno.test("network: one that holds a gateway of the underlay is not joined", () => {
  assert.throws(
    () => requireOutside(config.network, { ...underlay, gateways: ["192.0.2.254", "10.5.0.254"] }),
    {
      code: "invalid",
      message: "Cannot join network 10.5.0.0/16: it holds this host's gateway 10.5.0.254 on eth0",
    },
  );
});

Deno.test("network: a config is understood once, and another one of the same text anew", () => {
  const stored = () => ({
    value: { Network: "10.5.0.0/16", Backend: { Type: "vxlan", Foo: 1 } },
    revision: 1,
  });
  const config = stored();
  const snapshot = { revision: 1, config, records: [], past: [] };
  const first = networkIn(snapshot, "file:/x.json");
  assert.equal(networkIn({ ...snapshot, revision: 2 }, "file:/x.json").config, first.config);
  const other = networkIn({ ...snapshot, config: stored() }, "file:/x.json");
  assert.notEqual(other.config, first.config);
  assert.deepEqual(other, first);
  assert.throws(() => networkIn({ ...snapshot, config: undefined }, "file:/x.json"), { code: "store" });
});
