/** What is flan's and what is not. */
import assert from "node:assert/strict";
import { claims, type Owner } from "../../kernel/ownership.ts";
import type { KernelObject, Link, Neighbour, Nexthop, Route } from "../../kernel/state.ts";
import { owner } from "../lib/overlay.ts";
import { proxy } from "../lib/udp_plan.ts";

const link = (name: string, alias: string): Link => ({
  kind: "link",
  name,
  type: "vxlan",
  alias,
  mac: "02:00:00:00:00:01",
  mtu: 1450,
  up: true,
});
const ours = link("flan.1", "flan 3f2a");
const foreign = link("eth0", "");
const others = [link("flan.9", "flan 77aa"), link("flan.8", "flan")];

function claim(object: KernelObject, who: Owner = owner): string {
  return claims(who, [ours, foreign, ...others, object])(object);
}

const kept = "be:35:1f:0d:81:8b";

const linkCases: readonly [string, Link, string][] = [
  ["our name and our alias", link("flan.2", "flan 3f2a"), "ours"],
  ["our alias under a name nobody wants", link("renamed", "flan 3f2a"), "ours"],
  ["a wanted name with the bare mark", link("flan.1", "flan"), "ours"],
  ["a wanted name with another node's alias", link("flan.1", "flan other"), "foreign"],
  ["another node's alias under a name nobody wants", link("flan.9", "flan other"), "foreign"],
  ["a wanted name without an alias", link("flan.1", ""), "foreign"],
  ["our MAC and no alias, that was never up", { ...link("flan.1", ""), mac: kept, up: false }, "ours"],
  ["our MAC and no alias, that is up", { ...link("flan.1", ""), mac: kept }, "foreign"],
  ["our MAC and another's alias", { ...link("flan.1", "uplink"), mac: kept, up: false }, "foreign"],
  ["a wanted name with an alias that only begins alike", link("flan.1", "flannel"), "foreign"],
  ["an alias that continues ours", link("flan.9", "flan 3f2a1"), "foreign"],
];

for (const [what, object, expected] of linkCases) {
  Deno.test(`ownership: a link with ${what} is ${expected}`, () => {
    assert.equal(claims({ ...owner, macs: [kept] }, [object])(object), expected);
  });
}

Deno.test("ownership: no MAC is no MAC of ours, even where one is kept that is empty", () => {
  const nameless = { ...link("flan0", ""), type: "tun", mac: "", up: false };
  assert.equal(claims({ ...owner, macs: ["", kept] }, [nameless])(nameless), "foreign");
});

Deno.test("ownership: the proxy of our run directory and its routes are ours, on whatever link", () => {
  const routed = {
    kind: "proxy-route",
    link: "gone0",
    destination: "10.9.0.0/24",
    remote: "192.0.2.9",
    port: 1,
  } as const;
  assert.equal(claim(routed), "ours");
  assert.equal(claim({ ...proxy, link: "eth0" }), "ours");
});

const addressCases: readonly [string, string, string][] = [
  ["flan.1", "10.5.9.0/32", "ours"],
  ["flan.1", "10.5.9.1/24", "foreign"],
  ["flan.1", "10.6.0.1/32", "foreign"],
  ["flan.1", "fe80::1/64", "kernel"],
  ["flan.1", "fd00::1/128", "foreign"],
  ["eth0", "10.5.9.0/32", "foreign"],
];

for (const [name, address, expected] of addressCases) {
  Deno.test(`ownership: address ${address} on ${name} is ${expected}`, () => {
    assert.equal(claim({ kind: "address", link: name, address }), expected);
  });
}

Deno.test("ownership: without a known network no address is ours", () => {
  const { network: _, ...unknown } = owner;
  assert.equal(claim({ kind: "address", link: "flan.1", address: "10.5.9.0/32" }, unknown), "foreign");
});

const neighbourCases: readonly [string, Partial<Neighbour>, string][] = [
  ["with our mark", { protocol: 113 }, "ours"],
  ["with our mark that failed", { protocol: 113, state: "failed", mac: "" }, "ours"],
  ["that is permanent and unmarked", {}, "foreign"],
  ["that is unresolved and unmarked", { state: "incomplete", mac: "" }, "kernel"],
  ["that came from traffic", { state: "stale" }, "kernel"],
  ["that another program made", { state: "stale", protocol: 11 }, "foreign"],
  ["for multicast", { state: "noarp", ip: "ff02::16", mac: "33:33:00:00:00:16" }, "kernel"],
  ["that an administrator set to noarp", { state: "noarp" }, "foreign"],
  ["with our mark on another link", { protocol: 113, link: "eth0" }, "foreign"],
];

for (const [what, change, expected] of neighbourCases) {
  Deno.test(`ownership: a neighbour ${what} is ${expected}`, () => {
    const entry: Neighbour = {
      kind: "neighbour",
      link: "flan.1",
      ip: "10.5.2.0",
      mac: "02:00:00:00:00:02",
      state: "permanent",
      protocol: 0,
    };
    assert.equal(claim({ ...entry, ...change }), expected);
  });
}

const routeCases: readonly [string, Partial<Route>, string][] = [
  ["with our mark on our link", {}, "ours"],
  ["without our mark on our link", { protocol: 4 }, "foreign"],
  ["with our mark inside the network on a link that no flan made", { link: "eth0" }, "ours"],
  [
    "with our mark outside the network on a link that no flan made",
    { link: "eth0", destination: "10.6.2.0/24" },
    "foreign",
  ],
  ["with our mark outside the network on our link", { destination: "10.6.2.0/24" }, "ours"],
  ["without our mark on a link that no flan made", { link: "eth0", protocol: 4 }, "foreign"],
  ["with our mark on another node's link", { link: "flan.9" }, "foreign"],
  ["with our mark on a link that some flan made", { link: "flan.8" }, "foreign"],
  ["with our mark inside the network, its link gone", { link: "" }, "ours"],
  ["with our mark outside the network, its link gone", { link: "", destination: "10.6.0.0/24" }, "foreign"],
  [
    "with our mark that covers the network, its link gone",
    { link: "", destination: "10.0.0.0/8" },
    "foreign",
  ],
  ["with our mark to everywhere, its link gone", { link: "", destination: "0.0.0.0/0" }, "foreign"],
];

for (const [what, change, expected] of routeCases) {
  Deno.test(`ownership: a route ${what} is ${expected}`, () => {
    const route: Route = {
      kind: "route",
      destination: "10.5.2.0/24",
      metric: 0,
      link: "flan.1",
      gateway: "10.5.2.0",
      onlink: true,
      nexthop: 0,
      type: "unicast",
      protocol: 113,
    };
    assert.equal(claim({ ...route, ...change }), expected);
  });
}

Deno.test("ownership: a marked route elsewhere is ours inside a network that this host was in, and in none that it does not know", () => {
  const { network: _, ...unknown } = owner;
  const route: Route = {
    kind: "route",
    destination: "10.77.2.0/24",
    metric: 0,
    link: "eth0",
    gateway: "192.0.2.2",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: 113,
  };
  const moved = { ...owner, networks: ["10.77.0.0/16"] };
  assert.equal(claim(route), "foreign");
  assert.equal(claim(route, moved), "ours");
  assert.equal(claim({ ...route, link: "flan.9" }, moved), "foreign", "another flan's link");
  assert.equal(claim({ ...route, destination: "10.5.2.0/24" }, unknown), "foreign");
});

Deno.test("ownership: a route that begins like the network and is wider than it is foreign", () => {
  const route: Route = {
    kind: "route",
    destination: "10.0.0.0/8",
    metric: 0,
    link: "",
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unreachable",
    protocol: 113,
  };
  const aligned = { ...owner, network: "10.0.0.0/16" };
  assert.equal(claim(route, aligned), "foreign");
  assert.equal(claim({ ...route, destination: "10.0.0.0/16" }, aligned), "ours");
});

const nexthopCases: readonly [string, Partial<Nexthop>, string][] = [
  ["with our mark on our link", {}, "ours"],
  ["without our mark", { protocol: 0 }, "foreign"],
  ["with our mark on another link", { link: "eth0" }, "foreign"],
  ["with our mark inside the network, its link gone", { link: "" }, "ours"],
  ["with our mark and no gateway, its link gone", { link: "", gateway: "" }, "foreign"],
];

for (const [what, change, expected] of nexthopCases) {
  Deno.test(`ownership: a nexthop ${what} is ${expected}`, () => {
    const nexthop: Nexthop = {
      kind: "nexthop",
      id: 7,
      gateway: "10.5.2.0",
      link: "flan.1",
      onlink: true,
      protocol: 113,
    };
    assert.equal(claim({ ...nexthop, ...change }), expected);
  });
}

Deno.test("ownership: an FDB entry is ours by living on our link", () => {
  const entry = { kind: "fdb", mac: "02:00:00:00:00:02", remote: "192.0.2.2" } as const;
  assert.equal(claim({ ...entry, link: "flan.1" }), "ours");
  assert.equal(claim({ ...entry, link: "eth0" }), "foreign");
});

Deno.test("ownership: a sysctl is never a stray, because nobody knows what it was", () => {
  assert.equal(claim({ kind: "sysctl", name: "net/ipv4/neigh/flan.1/app_solicit", value: "3" }), "kernel");
});

Deno.test("ownership: an address of a subnet that this host had in another network is ours on our link only", () => {
  const address = { kind: "address", link: "flan.1", address: "10.77.3.0/32" } as const;
  assert.equal(claim(address), "foreign");
  const moved = { ...owner, former: ["10.77.3.0/24"] };
  assert.equal(claim(address, moved), "ours");
  assert.equal(claim({ ...address, link: "eth0" }, moved), "foreign");
  assert.equal(claim({ ...address, address: "10.77.4.0/32" }, moved), "foreign");
  assert.equal(claim({ ...address, address: "10.77.3.1/24" }, moved), "foreign", "a bridge's, not flan's");
});

Deno.test("claims: a host without IPsec loads nothing that makes hashes, which takes longer than a look", async () => {
  const script = `
    import { claims } from ${JSON.stringify(import.meta.resolve("../../kernel/ownership.ts"))};
    process.getBuiltinModule = () => { throw new Error("loaded") };
    const links = ["flan.1"];
    const claim = claims({ alias: "flan 11aa", links, network: "10.5.0.0/16" }, []);
    const state = { kind: "xfrm-state", requestId: 7 };
    console.log(claim({ kind: "fdb", link: "flan.1" }));
    try { claim(state) } catch ({ message }) { console.log(message) }
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
  assert.equal(new TextDecoder().decode(stdout), "foreign\nloaded\n");
});
