/** A host that lacks what a backend needs: nothing is begun, and whoever only asks is answered. */
import assert from "node:assert/strict";
import { foresee } from "../../cmd/dry_run.ts";
import { compare } from "../../cmd/observe.ts";
import { startNetwork } from "../../cmd/start_network.ts";
import { observeHost } from "../../agent/host.ts";
import { networkIn } from "../../agent/network.ts";
import { TestNetwork, udpNetwork } from "../lib/agents.ts";
import { contextOf, ground } from "../lib/grounds.ts";

for (const feature of ["tun", "proxy"] as const) {
  Deno.test(`lacking ${feature}: no udp network is started that this host could not be in`, async () => {
    const place = ground();
    place.kernel.lacks.add(feature);
    const context = contextOf({ backend: "udp" });
    const hint = feature === "tun" ? "modprobe tun" : "deno task build";
    await assert.rejects(startNetwork(context, place, { allowOverlap: false, once: false }), {
      code: "unsupported",
      message: `Cannot use ${feature}: this host has none`,
      hint,
    });
    assert.equal((await place.store.read()).config, undefined);
    place.kernel.lacks.clear();
    await startNetwork(context, place, { allowOverlap: false, once: false });
    assert.deepEqual((await place.store.read()).config?.value, {
      Network: "10.5.0.0/16",
      Backend: { Type: "udp" },
    });
  });

  Deno.test(`lacking ${feature}: a vxlan network needs none, and is started`, async () => {
    const place = ground();
    place.kernel.lacks.add(feature);
    await startNetwork(contextOf({}), place, { allowOverlap: false, once: false });
    assert.notEqual((await place.store.read()).config, undefined);
  });

  Deno.test(`lacking ${feature}: --dry-run shows the whole plan, and says what is lacking`, async () => {
    const place = ground();
    const { lacks: nothing, observed: { plan } } = await foresee(contextOf({ backend: "udp" }), place);
    assert.equal(nothing, undefined);
    assert.deepEqual(plan.objects.map(({ kind }) => kind), ["link", "address", "proxy", "route"]);
    place.kernel.lacks.add(feature);
    const { lacks, summary, observed } = await foresee(contextOf({ backend: "udp" }), place);
    assert.equal(lacks?.message, `Cannot use ${feature}: this host has none`);
    assert.deepEqual(observed.plan, plan);
    assert.deepEqual([summary["device"], summary["mtu"]], ["flan0", 1472]);
    assert.equal((await foresee(contextOf({}), place)).lacks, undefined, "vxlan needs neither");
  });

  Deno.test(`lacking ${feature}: what only looks does not fail for it`, async () => {
    await using network = await TestNetwork.start(udpNetwork);
    const host = await network.joined(1);
    host.kernel.lacks.add(feature);
    const snapshot = await network.store.read();
    const known = { snapshot, ...networkIn(snapshot, network.store.url) };
    const objects = await host.kernel.dump({ links: known.devices, sysctls: [] });
    const facts = await observeHost(host.kernel, {
      ...known,
      options: host.options,
      objects,
      clock: network.clock,
    });
    const { stateDir } = host.options;
    const { drift } = await compare({
      kernel: host.kernel,
      isProxyHidden: () => false,
      isFirewallHidden: () => false,
      isHooksHidden: () => false,
      isWireguardHidden: () => false,
      isIpsecHidden: () => false,
    }, {
      network: known,
      host: facts,
      settings: { stateDir },
      objects,
    });
    assert.deepEqual([drift.changes, drift.conflicts], [[], []]);
  });
}
