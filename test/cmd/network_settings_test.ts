import assert from "node:assert/strict";
import { ipsec } from "../../backends/ipsec.ts";
import { changedBy, withValue } from "../../cmd/config_set.ts";
import { requireAgreement, startingConfig } from "../../cmd/network_settings.ts";
import type { Settings, Source } from "../../cmd/settings.ts";
import type { Address, Link, Route } from "../../kernel/state.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { Json } from "../../net/json.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const network = { Network: "10.5.0.0/16", SubnetLen: 24, Backend: { Type: "vxlan", VNI: 7 } };

function given(settings: Partial<Settings>) {
  const sources = new Proxy({}, { get: (): Source => "flag" });
  const clock = new FakeClock();
  return { settings: settings as Settings, sources: sources as Record<keyof Settings, Source>, clock };
}

function route(destination: string, protocol = 3): Route {
  const rest = { metric: 0, link: "eth0", gateway: "", onlink: false, nexthop: 0, type: "unicast" };
  return { kind: "route", destination, protocol, ...rest };
}

const dual = { ...network, EnableIPv6: true, IPv6Network: "fd00:5::/48" };

const agrees: Partial<Settings>[] = [
  {},
  { network: "10.5.0.0/16" },
  { backend: "VXLAN" },
  { subnetLen: 24, subnetMin: "10.5.1.0", subnetMax: "10.5.255.0" },
  { backendOption: { vni: 7 } },
];

for (const settings of agrees) {
  Deno.test(`joining a network agrees with ${JSON.stringify(settings)}`, () => {
    requireAgreement(given(settings), parseNetworkConfig(network), "file:/n.json");
  });
}

const differs: [Partial<Settings>, string][] = [
  [{ network: "10.6.0.0/16" }, "network is 10.6.0.0/16 here (flag) but 10.5.0.0/16 there"],
  [{ backend: "udp" }, "backend is udp here (flag) but vxlan there"],
  [{ subnetLen: 25 }, "subnet-len is 25 here (flag) but 24 there"],
  [{ subnetMin: "10.5.2.0" }, "subnet-min is 10.5.2.0 here (flag) but 10.5.1.0 there"],
  [{ subnetMax: "10.5.9.0" }, "subnet-max is 10.5.9.0 here (flag) but 10.5.255.0 there"],
  [{ backendOption: { VNI: 8 } }, "backend option VNI is 8 here (flag) but 7 there"],
  [{ backendOption: { Port: 1 } }, "backend option Port is 1 here (flag) but not set there"],
];

Deno.test("joining a dual-stack network holds each family against its own settings", () => {
  const join = (settings: Partial<Settings>, config: Json = dual) =>
    requireAgreement(given(settings), parseNetworkConfig(config), "file:/n.json");
  join({ network: "10.5.0.0/16", network6: "fd00:5::/48", subnetLen6: 64, subnetMin6: "fd00:5:0:1::" });
  join({ network6: "fd00:5::/48", subnetMax6: "fd00:5:0:ffff::" });
  const refused: [Partial<Settings>, Json, RegExp][] = [
    [{ network6: "fd00:6::/48" }, dual, /network6 is fd00:6::\/48 here \(flag\) but fd00:5::\/48 there/],
    [{ network6: "fd00:5::/48" }, network, /network6 is fd00:5::\/48 here \(flag\) but not set there/],
    [{ subnetLen6: 72 }, dual, /subnet-len6 is 72 here \(flag\) but 64 there/],
    [{ network: "fd00:5::/48" }, dual, /network is fd00:5::\/48 here \(flag\) but 10\.5\.0\.0\/16 there/],
    [{ subnetLen: 24 }, { ...dual, EnableIPv4: false }, /subnet-len is 24 here \(flag\) but not set there/],
  ];
  for (const [settings, config, says] of refused) assert.throws(() => join(settings, config), says);
  join({ network: "fd00:5::/48", network6: "fd00:5::/48" }, { ...dual, EnableIPv4: false });
});

Deno.test("a new network has the families that are named, and IPv4 where none is", () => {
  const start = (settings: Partial<Settings>) => startingConfig(given(settings), []) as Record<string, Json>;
  const { Backend: _, ...both } = start({ network: "10.9.0.0/16", network6: "fd00:9::/48", subnetLen6: 72 });
  assert.deepEqual(both, {
    EnableIPv6: true,
    Network: "10.9.0.0/16",
    IPv6Network: "fd00:9::/48",
    IPv6SubnetLen: 72,
  });
  const alone = { EnableIPv4: false, EnableIPv6: true, IPv6Network: "fd00:9::/48" };
  for (const named of [{ network6: "fd00:9::/48" }, { network: "fd00:9::/48" }]) {
    const { Backend: _, ...config } = start(named);
    assert.deepEqual(config, alone);
  }
  assert.equal(start({ network6: "fd00:9::/48", subnetLen: 25 })["Network"], "10.244.0.0/16");
  const refused: [Partial<Settings>, RegExp][] = [
    [{ network: "fd00:9::/48", network6: "fd00:8::/48" }, /one IPv6 network is enough/],
    [{ subnetLen6: 64 }, /Cannot use --subnet-len6: no IPv6 network is named/],
    [
      { network: "fd00:9::/48", subnetMin: "10.5.0.0" },
      /Cannot use --subnet-min: --network fd00:9::\/48 is IPv6/,
    ],
    [{ network6: "fe80::/48" }, /IPv6Network is fe80::\/48: it overlaps fe80::\/10, which is link-local/],
  ];
  for (const [settings, says] of refused) assert.throws(() => start(settings), says);
});

for (const [settings, says] of differs) {
  Deno.test(`joining a network with ${JSON.stringify(settings)} is refused with both values`, () => {
    const join = () => requireAgreement(given(settings), parseNetworkConfig(network), "file:/n.json");
    assert.throws(join, { message: `Cannot join the network in file:/n.json: ${says}` });
  });
}

Deno.test("a new network is the first default that overlaps nothing this host routes", () => {
  const start = (...routes: Route[]) => (startingConfig(given({}), routes) as { Network: string }).Network;
  assert.equal(start(), "10.244.0.0/16");
  assert.equal(start(route("0.0.0.0/0"), route("192.168.1.0/24")), "10.244.0.0/16");
  assert.equal(start(route("10.244.7.0/24")), "10.213.0.0/16");
  assert.equal(start(route("10.0.0.0/8")), "172.29.0.0/16");
  // What flan made itself on an earlier run is no obstacle.
  assert.equal(start(route("10.244.7.0/24", 113)), "10.244.0.0/16");
  const address = { kind: "address", link: "eth0", address: "10.244.3.4/24" } as const;
  assert.equal((startingConfig(given({}), [address]) as { Network: string }).Network, "10.213.0.0/16");
  const all = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map((one) => route(one));
  assert.throws(
    () => start(...all),
    /^FlanError: Cannot choose a network: 10\.244\.0\.0\/16, .* all overlap/,
  );
});

Deno.test("a backend that nobody has is refused with those that there are, whatever the network has", () => {
  const join = () => requireAgreement(given({ backend: "foo" }), parseNetworkConfig(network), "file:/n.json");
  assert.throws(join, {
    message:
      'Cannot use backend "foo": it is not known; this version has vxlan, wireguard, udp, host-gw, ipip, ipsec, alloc, extension',
  });
});

Deno.test("a new network says what the settings say", () => {
  const settings = { network: "10.9.0.0/16", subnetLen: 25, backend: "vxlan", backendOption: { VNI: 7 } };
  assert.deepEqual(startingConfig(given(settings), []), {
    Network: "10.9.0.0/16",
    SubnetLen: 25,
    Backend: { Type: "vxlan", VNI: 7 },
  });
});

const taken = [
  "0.0.0.0/0",
  "0.0.0.0/1",
  "128.0.0.0/1",
  "127.5.0.0/16",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "250.0.0.0/8",
];
for (const text of taken) {
  Deno.test(`a network of ${text} is not started, but read where flannel has it`, () => {
    const start = () => startingConfig(given({ network: text }), []);
    assert.throws(start, /^FlanError: Cannot use the network config: Network is .*: it overlaps .*, which /);
    parseNetworkConfig({ Network: text });
  });
}

Deno.test("networks beside those ranges are started", () => {
  for (const text of ["1.0.0.0/8", "126.0.0.0/8", "169.253.0.0/16", "100.64.0.0/10", "223.0.0.0/8"]) {
    startingConfig(given({ network: text }), []);
  }
});

Deno.test("config set finds a key in any spelling, and makes one that is missing", () => {
  const set = (path: string, value: Json) => withValue(network, { path: path.split("."), value, key: path });
  assert.deepEqual(set("subnetlen", 25), { ...network, SubnetLen: 25 });
  assert.deepEqual(set("backend.vni", 8), { ...network, Backend: { Type: "vxlan", VNI: 8 } });
  assert.deepEqual(set("Backend.Port", 1), { ...network, Backend: { Type: "vxlan", VNI: 7, Port: 1 } });
  assert.deepEqual(set("New.Key", 1), { ...network, New: { Key: 1 } });
  assert.equal(network.SubnetLen, 24, "the document itself is left as it was");
});

for (const path of ["", ".", "Backend.", "a b", "__proto__", "Network.x", "Backend.Type.x", "x".repeat(41)]) {
  Deno.test(`config set refuses the key ${JSON.stringify(path.slice(0, 20))}`, () => {
    const set = () => withValue(network, { path: path.split("."), value: 1, key: path });
    assert.throws(set, /^FlanError: Cannot set .*: a key such as SubnetLen or Backend\.VNI is needed$/);
  });
}

Deno.test("what flan left on this host is no reason to choose another default network", () => {
  const link = (name: string, alias: string): Link => ({
    kind: "link",
    name,
    alias,
    type: "vxlan",
    mac: "",
    mtu: 1450,
    up: true,
  });
  const address = (link: string): Address => ({ kind: "address", link, address: "10.244.1.0/32" });
  const left = [link("flan.1", "flan 0123"), address("flan.1")];
  assert.deepEqual((startingConfig(given({}), left) as { Network: string }).Network, "10.244.0.0/16");
  const others = [link("vx0", ""), address("vx0")];
  assert.notEqual((startingConfig(given({}), others) as { Network: string }).Network, "10.244.0.0/16");
});

Deno.test("an ipsec network is started with a secret of its own, or with the one that is named", () => {
  const start = (backendOption?: Settings["backendOption"]) => {
    const settings = { backend: "ipsec", network: "10.5.0.0/16", ...(backendOption && { backendOption }) };
    return (startingConfig(given(settings), []) as { Backend: { PSK: string } }).Backend;
  };
  assert.match(start().PSK, /^[0-9a-f]{128}$/);
  assert.deepEqual(start({ PSK: "mine" }), { Type: "ipsec", PSK: "mine" });
  assert.equal(start({ RekeySeconds: 60 }).PSK.length, 128);
});

Deno.test("a network that goes over to ipsec gets a secret of its own, and no other backend does", () => {
  const clock = new FakeClock();
  const before = { Network: "10.5.0.0/16", Backend: { Type: "vxlan", VNI: 7 } };
  const over = (value: string) =>
    (changedBy(before, { key: "backend", value, clock }) as { Backend: { Type: string; PSK?: string } })
      .Backend;
  const { Type, PSK } = over("ipsec");
  assert.equal(Type, "ipsec");
  assert.match(PSK!, /^[0-9a-f]{128}$/);
  ipsec.check(parseNetworkConfig({ ...before, Backend: over("IPsec") }));
  assert.deepEqual(over("udp"), { Type: "udp" });
});
