/** Which of a host's routes and addresses stand in the way of a network. */
import assert from "node:assert/strict";
import { coveringOf, namedOverlaps, overlapsOf, requireNoOverlap } from "../../agent/overlap.ts";
import { type KernelObject, type Link, type Route, ROUTE_PROTOCOL } from "../../kernel/state.ts";
import { parseCidr } from "../../net/ip.ts";

const network = parseCidr("10.5.0.0/16");

function link(name: string, alias = ""): Link {
  return { kind: "link", name, type: "", alias, mac: "", mtu: 1500, up: true };
}

function address(text: string, dev = "eth0"): KernelObject {
  return { kind: "address", link: dev, address: text };
}

function route(destination: string, more: Partial<Route> = {}): Route {
  const rest = { metric: 0, link: "eth0", gateway: "", onlink: false, nexthop: 0, type: "unicast" };
  return { kind: "route", destination, protocol: 3, ...rest, ...more };
}

const cases: readonly [name: string, object: KernelObject, stands: boolean][] = [
  ["an address in it", address("10.5.7.1/24", "docker0"), true],
  ["a route in it", route("10.5.9.0/24"), true],
  ["a route around it", route("10.0.0.0/8"), true],
  ["an address whose prefix is around it", address("10.4.0.1/15"), true],
  ["a single address on lo", address("10.5.0.1/32", "lo"), true],
  ["a route beside it", route("10.6.0.0/16"), false],
  ["the default route", route("0.0.0.0/0", { gateway: "192.0.2.254" }), false],
  ["an IPv6 route", route("2001:db8::/32"), false],
  ["a route with flan's mark", route("10.5.9.0/24", { protocol: ROUTE_PROTOCOL }), false],
  ["a route on flan's device", route("10.5.9.0/24", { link: "flan.1" }), false],
  ["an address on flan's device", address("10.5.1.0/32", "flan.1"), false],
  ["a route that only refuses", route("10.0.0.0/8", { type: "unreachable", link: "lo" }), false],
  ["the bridge in the own subnet", address("10.5.1.1/24", "cni0"), false],
  ["a container's route in the own subnet", route("10.5.1.9/32", { link: "veth1" }), false],
  ["a bridge that is larger than the own subnet", address("10.5.1.1/20", "cni0"), true],
];

for (const [name, object, stands] of cases) {
  Deno.test(`overlap: ${name} ${stands ? "stands in the way" : "does not"}`, () => {
    const objects = [link("eth0"), link("flan.1", "flan 11aa"), object];
    const found = overlapsOf(network, { objects, own: "10.5.1.0/24" });
    assert.deepEqual(found.map((one) => one.object), stands ? [object] : []);
  });
}

Deno.test("overlap: an address and its connected route count once, another link's route does for itself", () => {
  const own = [address("10.5.7.1/24"), route("10.5.7.0/24", { protocol: 2 })];
  const other = route("10.5.7.0/24", { link: "eth1", metric: 9 });
  assert.deepEqual(coveringOf([...own, other]).map((one) => one.object), [own[0], other]);
});

Deno.test("overlap: joining is refused with what it overlaps, three of them by name", () => {
  const objects = [1, 2, 3, 4, 5].map((number) => route(`10.5.${number}.0/24`));
  assert.throws(() => requireNoOverlap(network, { objects, own: "10.5.1.0/24" }), {
    code: "invalid",
    message: "Cannot join network 10.5.0.0/16: it overlaps this host's route 10.5.2.0/24 dev eth0 and " +
      "route 10.5.3.0/24 dev eth0 and route 10.5.4.0/24 dev eth0 and 1 more",
    hint: "start a network elsewhere with --network, or join with --allow-overlap where that is meant",
  });
  assert.equal(namedOverlaps(coveringOf(objects.slice(0, 1))), "route 10.5.1.0/24 dev eth0");
  requireNoOverlap(network, { objects: objects.slice(0, 1), own: "10.5.1.0/24" });
});
