/** The backends pass the backend suite on Linux itself, in a network namespace of the tests' own. */
import { dualStack } from "../../backends/dual.ts";
import { hostGw } from "../../backends/host_gw.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { nobodyIsLeftOut } from "../conformance/backend_skips.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { openDualSystem, openSystem, shown } from "./system.ts";
import { onlyNear, stacks } from "../lib/stacks.ts";
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
  for (const stack of stacks) {
    backendSuite({
      name: `vxlan in ${stack.name} on Linux`,
      backend: dualStack(vxlan),
      host: stack.host({ underlay }),
      owner: stack.owner(owner),
      view: (peers) => stack.view(seenBy({})(peers)),
      open: openDualSystem,
      kernelOnly: true,
    });
    backendSuite({
      name: `vxlan on demand in ${stack.name} on Linux`,
      backend: dualStack(vxlan),
      host: stack.host({ underlay, wanted: new Set(["10.5.2.7", "fd00:5:0:2::7", "fd00:5:0:3::7"]) }),
      owner: stack.owner(owner),
      view: (peers) => stack.view(seenBy({ Mode: "on-demand" })(peers)),
      open: openDualSystem,
      kernelOnly: true,
    });
    backendSuite({
      name: `vxlan with direct routes in ${stack.name} on Linux`,
      backend: dualStack(vxlan),
      host: onlyNear(stack.host({ underlay })),
      owner: stack.owner(owner),
      view: (peers) => stack.view(seenBy({ DirectRouting: true })(peers)),
      open: openDualSystem,
      kernelOnly: true,
    });
    backendSuite({
      name: `host-gw in ${stack.name} on Linux`,
      backend: dualStack(hostGw),
      host: stack.host({ underlay, mac: "" }),
      owner: stack.owner(bareOwner),
      view: (peers) => stack.view(hostGwSeenBy({})(peers)),
      open: openDualSystem,
      kernelOnly: true,
    });
  }
  nobodyIsLeftOut("on Linux");
} else {
  Deno.test({ name: `vxlan on Linux (skipped: ${reason})`, ignore: true, fn() {} });
}
