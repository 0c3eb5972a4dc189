/** A host that lacks what a network's backend needs does not join, and nothing of it is touched. */
import assert from "node:assert/strict";
import { backendFor } from "../../backends/registry.ts";
import { type BackendType, backendTypes } from "../../backends/types.ts";
import { exitCode } from "../../cmd/exit.ts";
import { FlanError } from "../../net/errors.ts";
import { TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { PRESHARED_KEY } from "../lib/overlay.ts";

/** What a network cannot be without. */
const options: Partial<Record<BackendType, object>> = { ipsec: { PSK: PRESHARED_KEY } };

for (const type of backendTypes) {
  for (const feature of backendFor(type).needs) {
    Deno.test(`${type} on a host without ${feature}: no lease, nothing in the kernel, exit 5`, async () => {
      await using network = await TestNetwork.start({
        ...vxlanNetwork,
        Backend: { Type: type, ...options[type] },
      });
      const host = network.host(1);
      host.kernel.lacks.add(feature);
      await assert.rejects(host.join(), (error) => {
        assert.ok(error instanceof FlanError);
        assert.deepEqual([error.code, exitCode(error)], ["unsupported", 5]);
        return true;
      });
      assert.deepEqual(host.kernel.attempted, []);
      assert.deepEqual((await network.store.read()).records, []);
    });
  }
}
