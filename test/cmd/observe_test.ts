/** What commands that look find of the kernel, beside what a plan wants of it. */
import assert from "node:assert/strict";
import { networkIn, ownerOf } from "../../agent/network.ts";
import { compare } from "../../cmd/observe.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeWireguard, publicKey } from "../lib/fake_wireguard.ts";
import { NODE, wireguardView } from "../lib/overlay.ts";
import { dualHost, dualView } from "../lib/stacks.ts";

for (const Mode of ["separate", "ipv4"]) {
  Deno.test(`observe: a dual-stack WireGuard that stands by Mode ${Mode} is found as it is, with settings of IPv6 beside it`, async () => {
    const value = {
      EnableIPv6: true,
      Network: "10.5.0.0/16",
      IPv6Network: "fd00:5::/48",
      Backend: { Type: "wireguard", Mode },
    };
    const snapshot = { revision: 1, config: { value, revision: 1 }, records: [], past: [] };
    const network = { snapshot, ...networkIn(snapshot, "file:/none") };
    const { own } = dualView(wireguardView([]));
    const host = dualHost({ mac: "", publicKey: publicKey(1), txChecksum: undefined });
    const view = { network: network.config, own, peers: [], refused: [] };
    const fake = new FakeWireguard({ native: false });
    const { kernel } = fake.open();
    const owner = ownerOf(network, { node: NODE, former: [], networks: [], macs: [] });
    await new Reconciler(kernel, { owner, clock: new FakeClock() }).reconcile(
      network.backend.plan(view, host).objects,
    );
    const hidden = {
      isProxyHidden: () => false,
      isFirewallHidden: () => false,
      isHooksHidden: () => false,
      isWireguardHidden: () => false,
      isIpsecHidden: () => false,
    };
    const objects = await kernel.dump({ links: network.devices, sysctls: [] });
    const found = { network, host, settings: { stateDir: "/nonexistent/flan" }, objects, own: own! };
    const { drift } = await compare({ kernel, ...hidden }, found);
    assert.deepEqual(drift.changes, []);
    assert.deepEqual([...drift.state].filter(([, state]) => state !== "ok"), []);
    assert.ok(drift.state.size > 6);
  });
}
