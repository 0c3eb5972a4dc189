/** Routes of others that win over flan's for a part of a peer's subnet. */
import assert from "node:assert/strict";
import { dualStack } from "../../backends/dual.ts";
import { udp } from "../../backends/udp.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { Plan } from "../../backends/backend.ts";
import { overridden, type OwnPlace } from "../../kernel/overridden.ts";
import { claims } from "../../kernel/ownership.ts";
import type { Route } from "../../kernel/state.ts";
import { parseCidr } from "../../net/ip.ts";
import { host, owner, udpHost, udpView, view } from "../lib/overlay.ts";
import { dualHost, dualView, NETWORK6, subnet6 } from "../lib/stacks.ts";

const route = (destination: string, change: Partial<Route> = {}): Route => ({
  kind: "route",
  destination,
  metric: 0,
  link: "eth0",
  gateway: "192.0.2.254",
  onlink: false,
  nexthop: 0,
  type: "unicast",
  protocol: 3,
  ...change,
});

const place: OwnPlace = {
  networks: ["10.5.0.0/16", NETWORK6].map(parseCidr),
  own: { subnet: "10.5.1.0/24", subnet6: subnet6(1) },
};

/** Subnet and destination of each. */
function seen(plan: Plan, ...others: readonly Route[]): string[] {
  const actual = [...plan.objects, ...others];
  const links = plan.objects.flatMap((one) => one.kind === "link" ? [one.name] : []);
  return overridden(plan, place, { actual, claim: claims({ ...owner, links }, actual) }).map((
    { subnet, found },
  ) => `${subnet} ${found.type} ${found.destination}`);
}

const tunnel = () => vxlan.plan(view([2, 3, 9]), host());
const twofold = () => dualStack(vxlan).plan(dualView(view([2, 3, 9])), dualHost());
const proxied = () => udp.plan(udpView([2, 3, 9]), udpHost());
const hole = { type: "blackhole", link: "", gateway: "" };

const cases: readonly (readonly [name: string, () => Plan, readonly Route[], seen: readonly string[]])[] = [
  ["nobody's", tunnel, [], []],
  ["a longer prefix", tunnel, [route("10.5.2.128/25")], ["10.5.2.0/24 unicast 10.5.2.128/25"]],
  ["a blackhole for one address", tunnel, [route("10.5.3.7/32", hole)], [
    "10.5.3.0/24 blackhole 10.5.3.7/32",
  ]],
  ["one as long as flan's, which it stands beside", tunnel, [route("10.5.2.0/24", { metric: 9 })], []],
  ["a shorter one", tunnel, [route("10.5.0.0/20"), route("0.0.0.0/0")], []],
  ["one outside every lease", tunnel, [route("10.5.7.0/25"), route("192.168.0.0/24")], []],
  ["one for this host's containers", proxied, [route("10.5.1.0/24", { link: "cni0", gateway: "" })], []],
  ["one that leads where flan's does", proxied, [route("10.5.2.0/24", { link: "flan0", gateway: "" })], []],
  [
    "one over several peers of one planned route, and this host",
    proxied,
    [route("10.5.0.0/22")],
    ["10.5.2.0/24 unicast 10.5.0.0/22", "10.5.3.0/24 unicast 10.5.0.0/22"],
  ],
  [
    "several, told by subnet",
    tunnel,
    [route("10.5.9.4/32"), route("10.5.2.64/26"), route("10.5.9.0/25", hole)],
    [
      "10.5.2.0/24 unicast 10.5.2.64/26",
      "10.5.9.0/24 unicast 10.5.9.4/32",
      "10.5.9.0/24 blackhole 10.5.9.0/25",
    ],
  ],
  ["an IPv6 one", tunnel, [route("fd00:5:0:2::/80")], []],
  [
    "those of either half of a lease, and for this host's containers",
    twofold,
    [route("fd00:5:0:2::/80"), route("10.5.2.9/32"), route("fd00:5:0:1::/80"), route("10.5.1.0/25")],
    ["10.5.2.0/24 unicast 10.5.2.9/32", "fd00:5:0:2::/64 unicast fd00:5:0:2::/80"],
  ],
];

for (const [name, plan, others, expected] of cases) {
  Deno.test(`overridden routes: ${name}`, () => assert.deepEqual(seen(plan(), ...others), expected));
}
