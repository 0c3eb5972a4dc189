/** The ipip backend on a stock kernel: it passes the backend suite, and its hosts reach each other. */
import assert from "node:assert/strict";
import { ipip } from "../../backends/ipip.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { openSystem } from "../ffi/system.ts";
import { bareOwner, host, seenAs } from "../lib/overlay.ts";
import { allReach, stream } from "./crossing.ts";
import { VmHosts } from "./hosts.ts";

backendSuite({
  name: "ipip on Linux",
  backend: ipip,
  host: host({ mac: "", underlay: { ...host().underlay, link: "under0" } }),
  owner: { ...bareOwner, links: ["flan.ipip"] },
  view: seenAs("ipip"),
  open: openSystem,
  kernelOnly: true,
});

Deno.test("ipip: three hosts reach each other whole and at full size, and leave nothing", async (t) => {
  await using hosts = await VmHosts.create({ name: "ipip", count: 3, backend: ipip });
  const [first, second] = hosts.all as [typeof hosts.all[0], typeof hosts.all[0]];
  const before = await hosts.on(first, ["ip", "address"]);
  await hosts.joinAll();
  await first.kernel.require(ipip.needs);
  await t.step("packets of every size", () => allReach(hosts, { 4: 1480 }));
  await t.step("100 MB by TCP", () => stream({ from: first, to: second, megabytes: 100 }));
  await hosts.leave(first);
  assert.equal(await hosts.on(first, ["ip", "address"]), before);
  assert.equal(await hosts.on(first, ["ip", "route", "show", "proto", "113"]), "");
});
