/** Which leases `flan lease list` notes as ones that the network's backend cannot use. */
import assert from "node:assert/strict";
import { networkIn } from "../../agent/network.ts";
import { unreachableIn } from "../../cmd/unreachable.ts";
import type { Json } from "../../net/json.ts";
import { PRESHARED_KEY } from "../lib/overlay.ts";

const values: Readonly<Record<string, { readonly [key: string]: Json }>> = {
  vxlan: {
    PublicIP: "192.0.2.2",
    BackendType: "vxlan",
    BackendData: { VNI: 1, VtepMAC: "02:00:00:00:00:02" },
  },
  udp: { PublicIP: "192.0.2.2" },
  ipsec: { PublicIP: "192.0.2.2", BackendType: "ipsec", BackendData: { Nonce: "2".repeat(32) } },
};
const NOWHERE = "/nonexistent/flan";
const options: Readonly<Record<string, { readonly [key: string]: Json }>> = {
  ipsec: { PSK: PRESHARED_KEY },
};

function stored(
  type: string,
  value: { readonly [key: string]: Json },
  more: { readonly [key: string]: Json } = {},
) {
  const config = {
    revision: 1,
    value: { Network: "10.244.0.0/16", Backend: { Type: type, ...options[type] }, ...more },
  };
  const record = { key: "10.244.2.0-24", value, revision: 2, node: "0".repeat(15) + "2", expires: 4e12 };
  const snapshot = { config, records: [record], past: [], revision: 2 };
  return { snapshot, ...networkIn(snapshot as never, "file:/x") } as Parameters<typeof unreachableIn>[0];
}

for (const [type, value] of Object.entries(values)) {
  Deno.test(`a sound lease of a ${type} network is noted with nothing`, () => {
    assert.deepEqual(unreachableIn(stored(type, value), NOWHERE), []);
  });
}

Deno.test("a lease of a backend that the network had before is of use, and one of a backend that it never had is not", () => {
  const former = (...FormerBackends: Json[]) =>
    unreachableIn(stored("ipip", values["udp"]!, { FormerBackends }), NOWHERE).map(({ code }) => code);
  assert.deepEqual(former({ Type: "udp" }), []);
  assert.deepEqual(former({ Type: "host-gw" }, { Type: "udp", Port: 9000 }), []);
  assert.deepEqual(former({ Type: "host-gw" }), ["other-backend"]);
  assert.deepEqual(former(), ["other-backend"]);
});
