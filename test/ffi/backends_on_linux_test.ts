/** The backends pass the backend suite on Linux itself, in a network namespace of the tests' own. */
import { hostGw } from "../../backends/host_gw.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { openSystem, shown } from "./system.ts";
import { bareOwner, host, hostGwSeenBy, owner, seenBy } from "../lib/overlay.ts";

/** Why the suite cannot run here, or undefined. */
async function missing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "needs root on Linux";
  const links = await shown("ip", "link");
  return links.some(({ ifname }) => ifname !== "lo") ? "needs a namespace of its own: unshare -n" : undefined;
}

const underlay = {
  link: "under0",
  address: "192.0.2.1",
  up: true,
  mtu: 1500,
  gateways: [],
  onLink: ["192.0.2.0/24"],
  offLink: [],
};
const reason = await missing();

if (reason === undefined) {
  backendSuite({
    name: "vxlan on Linux",
    backend: vxlan,
    host: host({ underlay }),
    owner,
    view: seenBy({}),
    open: openSystem,
  });
  backendSuite({
    name: "vxlan on demand on Linux",
    backend: vxlan,
    host: host({ underlay, wanted: new Set(["10.5.2.7", "10.5.2.8", "10.5.3.7", "10.5.4.7"]) }),
    owner,
    view: seenBy({ Mode: "on-demand" }),
    open: openSystem,
  });
  backendSuite({
    name: "vxlan with direct routes on Linux",
    backend: vxlan,
    host: host({ underlay: { ...underlay, onLink: ["192.0.2.0/30"] } }),
    owner,
    view: seenBy({ DirectRouting: true }),
    open: openSystem,
  });
  backendSuite({
    name: "host-gw on Linux",
    backend: hostGw,
    host: host({ underlay, mac: "" }),
    owner: bareOwner,
    view: hostGwSeenBy({}),
    open: openSystem,
  });
} else {
  Deno.test({ name: `vxlan on Linux (skipped: ${reason})`, ignore: true, fn() {} });
}
