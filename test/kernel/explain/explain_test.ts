/** Where a way is broken, and what is said of it: every hop of both planes damaged in memory, one at a time. */
import assert from "node:assert/strict";
import { firstBreak } from "../../../kernel/explain/explain.ts";
import { keyOf } from "../../../kernel/state.ts";
import {
  type Break,
  byDefault,
  changed,
  type Damage,
  found,
  host9,
  IP,
  planes,
  refused,
  steps,
  testBreaks,
  without,
} from "../../lib/ways.ts";

const cases: readonly Break[] = [
  [
    "the link is gone",
    "vxlan",
    { actual: () => [] },
    "link",
    "missing",
    /^$/,
    /^ip link add flan\.1 .*ip route add/s,
  ],
  [
    "the link is down",
    "vxlan",
    changed("link", { up: false }),
    "link",
    "wrong",
    /^is down$/,
    /up/,
  ],
  [
    "the link's MTU is another",
    "vxlan",
    changed("link", { mtu: 1300 }),
    "link",
    "wrong",
    /^mtu is 1300, not 1450$/,
    /mtu 1450/,
  ],
  [
    "the address is gone",
    "vxlan",
    without("address"),
    "address",
    "missing",
    /^$/,
    /^ip address add 10\.5\.1\.0\/32 dev flan\.1$/,
  ],
  [
    "the route is gone",
    "vxlan",
    without("route"),
    "route",
    "missing",
    /^packets take the default route via 192\.0\.2\.254 dev eth0$/,
    /^ip route add 10\.5\.2\.0\/24 nhid/,
  ],
  [
    "the nexthop is gone with its route",
    "vxlan",
    { actual: (all) => all.filter(({ kind }) => kind !== "nexthop" && kind !== "route") },
    "nexthop",
    "missing",
    /^$/,
    /^ip nexthop add id .*\nip route add/,
  ],
  [
    "the neighbour is gone",
    "vxlan",
    without("neighbour"),
    "neighbour",
    "missing",
    /^$/,
    /^ip neighbour add 10\.5\.2\.0 /,
  ],
  [
    "the neighbour has another MAC",
    "vxlan",
    changed("neighbour", { mac: "02:00:00:00:00:99" }),
    "neighbour",
    "wrong",
    /^mac is 02:00:00:00:00:99, not 0e:/,
    /^ip neighbour replace/,
  ],
  [
    "the FDB entry is gone",
    "vxlan",
    without("fdb"),
    "fdb",
    "missing",
    /^$/,
    /^bridge fdb add .* dst 192\.0\.2\.2 /,
  ],
  [
    "the FDB entry leads elsewhere",
    "vxlan",
    changed("fdb", { remote: "192.0.2.9" }),
    "fdb",
    "wrong",
    /^remote is 192\.0\.2\.9, not 192\.0\.2\.2$/,
    /^bridge fdb replace/,
  ],
  [
    "somebody's route stands in the place",
    "vxlan",
    changed("route", { protocol: 4, nexthop: 0, gateway: "192.0.2.77", link: "eth0" }),
    "route",
    "foreign",
    /^route 10\.5\.2\.0\/24 via 192\.0\.2\.77 dev eth0 is not flan's$/,
    /^ip route delete 10\.5\.2\.0\/24 via 192\.0\.2\.77 dev eth0 .*protocol 4$/,
  ],
  [
    "somebody's longer prefix wins",
    "vxlan",
    { facts: { lookup: found(host9) } },
    "route",
    "foreign",
    /^route 10\.5\.2\.9\/32 via 192\.0\.2\.254 dev eth0 wins$/,
    /^ip route delete 10\.5\.2\.9\/32 .*protocol 3$/,
  ],
  [
    "a table of a policy rule wins",
    "vxlan",
    { facts: { lookup: found(byDefault, 100) } },
    "route",
    "foreign",
    /^the default route .* table 100 wins$/,
    / table 100$/,
  ],
  [
    "an unreachable route wins",
    "vxlan",
    {
      actual: (all) => [...all, { ...host9, type: "unreachable", gateway: "", link: "" }],
      facts: { lookup: refused("EHOSTUNREACH", "No route to host (EHOSTUNREACH)") },
    },
    "route",
    "foreign",
    /^route unreachable 10\.5\.2\.9\/32 wins$/,
    /^ip route delete unreachable/,
  ],
  [
    "a rule forbids it",
    "vxlan",
    { facts: { lookup: refused("EACCES", "Permission denied (EACCES)") } },
    "route",
    "foreign",
    /refuses it: Permission denied/,
    /^$/,
  ],
  [
    "a stale route of flan's wins",
    "vxlan",
    { facts: { lookup: found({ ...host9, protocol: 113 }) } },
    "route",
    "wrong",
    /wins$/,
    /^ip route delete/,
  ],
  [
    "the proxy is gone",
    "udp",
    { actual: (all) => all.filter(({ kind }) => !kind.startsWith("proxy")) },
    "proxy",
    "missing",
    /^$/,
    /flan up starts: flan proxy run/,
  ],
  [
    "the proxy carries nothing",
    "udp",
    changed("proxy", { carrying: false }),
    "proxy",
    "wrong",
    /^carrying is false, not true$/,
    /mends: the proxy/,
  ],
  [
    "the proxy's route is gone",
    "udp",
    without("proxy-route", (one) => keyOf(one).includes("10.5.2.0")),
    "proxy-route",
    "missing",
    /^$/,
    /proxy route 10\.5\.2\.0\/24 to 192\.0\.2\.2:8285/,
  ],
  [
    "the proxy's route leads elsewhere",
    "udp",
    changed("proxy-route", { remote: "192.0.2.9" }),
    "proxy-route",
    "wrong",
    /^remote is 192\.0\.2\.9/,
    /proxy route/,
  ],
  [
    "the network's route is gone",
    "udp",
    without("route"),
    "route",
    "missing",
    /packets take the default route/,
    /^ip route add 10\.5\.0\.0\/16 dev flan0 /,
  ],
  [
    "the route to the peer is gone",
    "host-gw",
    without("route", (one) => keyOf(one).includes("10.5.2.0")),
    "route",
    "missing",
    /^packets take the default route/,
    /^ip route add 10\.5\.2\.0\/24 via 192\.0\.2\.2 dev eth0 protocol 113$/,
  ],
  [
    "the plain route is gone",
    "direct",
    without("route"),
    "route",
    "missing",
    /^packets take the default route/,
    /^ip route add 10\.5\.2\.0\/24 via 192\.0\.2\.2 dev eth0 /,
  ],
  [
    "nobody routes the peer's subnet",
    "alloc",
    { facts: { lookup: refused("ENETUNREACH", "Network is unreachable") } },
    "route",
    "missing",
    /^flan makes no route here, and nobody else did: Network is unreachable$/,
    /^$/,
  ],
  [
    "the network's command has not run",
    "extension",
    without("hook"),
    "hook",
    "missing",
    /^$/,
    /SUBNET=10\.5\.2\.0\/24 .* sh -c add$/,
  ],
  [
    "no agent answers for the address",
    "on demand",
    { facts: { isAnswered: false } },
    "neighbour",
    "missing",
    /^no agent runs that would answer/,
    /^flan up --detach --mtu 1400$/,
  ],
  [
    "a sysctl is wrong",
    "on demand",
    changed("sysctl", { value: "0" }),
    "sysctl",
    "wrong",
    /^value is 0, not [03]/,
    /^sysctl -w /,
  ],
];

testBreaks(cases);

for (const plane of Object.keys(planes)) {
  Deno.test(`explain, ${plane}: a whole way has no break, and a command for every hop`, () => {
    const all = steps(plane);
    assert.equal(firstBreak(all), undefined);
    assert.ok(all.every(({ prove }) => prove !== undefined && prove !== ""));
    assert.deepEqual(all.filter(({ what }) => what === "sysctl"), []);
  });
}

Deno.test("explain: the hops stand in the order of the packet", () => {
  const order = (plane: string) => steps(plane).map(({ what }) => what).join(" ");
  assert.equal(order("vxlan"), "link address route nexthop neighbour fdb underlay size return");
  assert.equal(order("udp"), "link address route proxy proxy-route underlay size return");
  assert.equal(order("host-gw"), "route underlay size return");
  assert.equal(order("direct"), "route underlay size return");
  assert.equal(order("alloc"), "route underlay size return");
  assert.equal(order("extension"), "hook route underlay size return");
  assert.equal(order("on demand"), "link address route neighbour underlay size return");
});

Deno.test("explain: what only goes with a broken hop is skipped, and the rest still judged", () => {
  const states = (damage: Damage) => steps("vxlan", damage).map(({ state }) => state).join(" ");
  assert.equal(states({ actual: () => [] }), "missing skipped skipped skipped skipped skipped ok skipped ok");
  assert.equal(states(without("fdb")), "ok ok ok ok ok missing ok ok ok");
});

Deno.test("explain: a route that flan did not plan is shown, and is its maker's business", () => {
  const step = steps("alloc").find(({ what }) => what === "route");
  assert.deepEqual([step?.state, step?.text], ["skipped", "the default route via 192.0.2.254 dev eth0"]);
});

Deno.test("explain: an address that nothing has asked for is not broken, on demand", () => {
  const asked = steps("on demand").find(({ what }) => what === "neighbour");
  assert.deepEqual([asked?.state, asked?.text], ["skipped", `${IP} dev flan.1`]);
});
