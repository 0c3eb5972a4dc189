/** What a host joins and what it refuses to: a network that overlaps its own routes and addresses. */
import assert from "node:assert/strict";
import { ensureHostState, rememberSubnet } from "../../agent/host_state.ts";
import { requireApart } from "../../cmd/start_network.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const config = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
const store = "file:/n.json";
const objects: readonly KernelObject[] = [{ kind: "address", link: "docker0", address: "10.5.7.1/24" }];

async function stateOf(remembered?: { subnet: string; store: string }): Promise<string> {
  const stateDir = Deno.makeTempDirSync({ prefix: "flan-apart-" });
  await ensureHostState(stateDir, new FakeClock());
  if (remembered !== undefined) await rememberSubnet(stateDir, remembered);
  return stateDir;
}

const hosts: readonly [
  name: string,
  remembered: { subnet: string; store: string } | undefined,
  joins: boolean,
][] = [
  ["a host that is new", undefined, false],
  ["a host that is in it already", { subnet: "10.5.1.0/24", store }, true],
  ["a host whose bridge is what overlaps", { subnet: "10.5.7.0/24", store: "file:/other.json" }, true],
  ["a host that is in another network of that store", { subnet: "10.9.1.0/24", store }, false],
  [
    "a host that is in the same network elsewhere",
    { subnet: "10.5.1.0/24", store: "file:/other.json" },
    false,
  ],
];

for (const [name, remembered, joins] of hosts) {
  Deno.test(`overlap: ${name} ${joins ? "joins" : "is refused"}`, async () => {
    const stateDir = await stateOf(remembered);
    try {
      const join = () => requireApart(config, { objects, store, stateDir });
      if (joins) join();
      else {assert.throws(join, {
          code: "invalid",
          message: /overlaps this host's address 10\.5\.7\.1\/24 dev docker0$/,
        });}
    } finally {
      Deno.removeSync(stateDir, { recursive: true });
    }
  });
}
