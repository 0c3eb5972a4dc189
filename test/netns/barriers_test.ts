/** `flan up` on a host that has booted, whose encrypted network's store is away. */
import assert from "node:assert/strict";
import { ensureHostState, rememberNetwork, rememberSubnet } from "../../agent/host_state.ts";
import { systemClock } from "../../agent/clock.ts";
import { rememberPlanes } from "../../agent/planes.ts";
import { must } from "../../cmd/demo/shell.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { hostTest } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";

hostTest(
  "flan up leaves nothing of an encrypted network to the default route while its store is away, and down takes that away",
  {
    lab: "barriers",
    hosts: 1,
  },
  async (hosts) => {
    const host = hosts.at(1);
    await hosts.withoutIpv6(host);
    const before = await namespaceState(host);
    const { stateDir } = host;
    // As a host leaves them that was in such a network, whatever this kernel can carry.
    await ensureHostState(stateDir, systemClock);
    await rememberSubnet(stateDir, { subnet: "10.5.1.0/24", store: hosts.lab.store });
    await rememberNetwork(stateDir, "10.5.0.0/16");
    const config = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "wireguard" } });
    await rememberPlanes(stateDir, [{ backend: wireguard, config }]);
    const way = () => must(["ip", "-netns", host.namespace, "route", "show", "10.5.0.0/16"]);

    for (const _ of ["the first", "and the next, which finds it there"]) {
      const { code, stderr } = await hosts.lab.flan(host, ["up"]);
      assert.deepEqual([code, /in clear/.test(stderr)], [4, false], stderr);
      assert.match(await way(), /^unreachable 10\.5\.0\.0\/16 proto 113 /);
    }

    const { stdout } = await hosts.lab.flan(host, ["down", "--keep-lease"]);
    assert.match(stdout, /^removed 1 route$/m);
    assert.deepEqual(await namespaceState(host), before);
  },
);
