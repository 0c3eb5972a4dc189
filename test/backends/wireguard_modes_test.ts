/** WireGuard's modes: one device for both families, over which underlay, and for whom. */
import assert from "node:assert/strict";
import { wireguard } from "../../backends/wireguard.ts";
import type { Plan } from "../../backends/backend.ts";
import type { WireguardPeer } from "../../kernel/state.ts";
import type { Lease } from "../../lease/lease.ts";
import type { View } from "../../lease/view.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import { config, wireguardHost, wireguardLease, wireguardView } from "../lib/overlay.ts";
import { dualHost, dualLease, dualView, ipv6Host, ipv6View, range6 } from "../lib/stacks.ts";

const host = dualHost({ mac: "", publicKey: publicKey(1) });

/** What host 1 sees, with whatever change of the leases as they are in dual stack. */
function seen(
  Mode: string,
  { peers = [2], own = {}, all = {} }: {
    peers?: readonly (number | Lease)[];
    own?: Partial<Lease>;
    all?: Partial<Lease>;
  } = {},
): View {
  const view = dualView(wireguardView(peers, { Mode }));
  return {
    ...view,
    own: { ...view.own!, ...own },
    peers: view.peers.map((peer) => ({ ...peer, ...all })),
  };
}

function peersIn({ objects }: Plan): WireguardPeer[] {
  return objects.filter((one) => one.kind === "wireguard-peer");
}

function endpointsOf(view: View): string[] {
  return peersIn(wireguard.plan(view, host)).map(({ endpoint }) => endpoint);
}

Deno.test("wireguard modes: one device carries both families, with both networks' routes and barriers", () => {
  const { objects, peers, refused } = wireguard.plan(seen("ipv4"), host);
  assert.deepEqual(
    objects.map((one) =>
      one.kind === "route"
        ? `${one.type} ${one.destination}`
        : one.kind === "link"
        ? `${one.name} mtu ${one.mtu} port ${one.wireguard!.listenPort}`
        : one.kind === "address"
        ? one.address
        : one.kind === "sysctl"
        ? `${one.name}=${one.value}`
        : one.kind === "wireguard-peer"
        ? [one.endpoint, ...one.allowedIps].join(" ")
        : one.kind
    ),
    [
      "unreachable 10.5.0.0/16",
      "unreachable fd00:5::/48",
      "flan-wg mtu 1440 port 51820",
      "net/ipv6/conf/flan-wg/disable_ipv6=0",
      "net/ipv6/conf/flan-wg/accept_ra=0",
      "10.5.1.0/32",
      "fd00:5:0:1::/128",
      "192.0.2.2:51820 10.5.2.0/24 fd00:5:0:2::/64",
      "unicast 10.5.0.0/16",
      "unicast fd00:5::/48",
    ],
  );
  assert.deepEqual(peers.map(({ keys, remote, way }) => ({ keys, remote, way })), [{
    keys: [
      `wireguard-peer ${publicKey(2)} dev flan-wg`,
      "route 10.5.0.0/16 metric 0",
      "route fd00:5::/48 metric 1024",
    ],
    remote: "192.0.2.2",
    way: "wireguard",
  }]);
  assert.deepEqual(refused, []);
  assert.deepEqual(wireguard.devices(seen("ipv4").network), ["flan-wg"]);
});

Deno.test("wireguard modes: the port that is announced for IPv6 is the one at which the device listens (flannel: B12)", () => {
  const { network } = seen("ipv6");
  const data = { PublicKey: publicKey(1), Port: 51820 };
  const announced = { backendType: "wireguard", backendData: data, backendV6Data: data };
  assert.deepEqual(wireguard.announce(network, host), announced);
  assert.deepEqual(
    endpointsOf(seen("ipv6")),
    ["[2001:db8::2]:51820"],
    "a flannel host announces 51821 with IPv6",
  );
});

Deno.test("wireguard modes: a network of one family has what it can have in every mode (flannel: B13)", () => {
  for (const Mode of ["auto", "ipv4"]) {
    const view = wireguardView([2], { Mode });
    const { objects } = wireguard.plan(view, wireguardHost());
    assert.deepEqual(objects, wireguard.plan(wireguardView([2]), wireguardHost()).objects);
    assert.deepEqual(wireguard.check(view.network), []);
  }
  for (const Mode of ["auto", "ipv6"]) {
    const view = ipv6View(wireguardView([2], { Mode }));
    const plan = wireguard.plan(view, ipv6Host({ mac: "", publicKey: publicKey(1) }));
    assert.deepEqual(
      peersIn(plan).map(({ link, allowedIps }) => [link, ...allowedIps]),
      [["flan-wg", "fd00:5:0:2::/64"]],
    );
    assert.deepEqual(wireguard.devices(view.network), ["flan-wg"]);
  }
});

Deno.test("wireguard modes: an underlay of which hosts announce no address is refused, and planned as nothing", () => {
  const refuse = (Mode: string, family: number) => ({
    code: "invalid",
    message: `Cannot use the wireguard options: Mode is "${Mode}", and the hosts of a network without ` +
      `IPv${family} announce no IPv${family} address`,
  });
  const ipv4 = wireguardView([2], { Mode: "ipv6" });
  assert.throws(() => wireguard.check(ipv4.network), refuse("ipv6", 6));
  assert.deepEqual(wireguard.plan(ipv4, wireguardHost()).objects, []);
  assert.throws(() => wireguard.check({ ...config({ Mode: "ipv4" }), ...range6 }), refuse("ipv4", 4));
  const dual = { ...config({ Mode: "ipv5" }), ipv6: range6 };
  assert.throws(() => wireguard.check(dual), {
    message:
      'Cannot use the wireguard options: Mode is "ipv5" but "separate" or "auto" or "ipv4" or "ipv6" is needed',
  });
});

Deno.test("wireguard modes: the second port is told to be of no use where there is one device", () => {
  const network = { ...config({ Mode: "auto", ListenPortV6: 4000 }, "wireguard"), ipv6: range6 };
  assert.deepEqual(wireguard.check(network), [
    'The wireguard option ListenPortV6 is ignored: with Mode "auto" there is one device',
  ]);
});

const [open4, open6] = ["198.51.100.1", "2001:db8::1"];
const [closed4, closed6] = ["192.168.7.1", "fd99::1"];
const autos: [string, { own: [string, string]; peer: [string, string] }, 4 | 6][] = [
  ["public addresses of both: IPv4", { own: [open4, open6], peer: [open4, open6] }, 4],
  ["this host behind a NAT: IPv6", { own: [closed4, open6], peer: [open4, open6] }, 6],
  ["the peer behind a NAT: IPv6", { own: [open4, open6], peer: [closed4, open6] }, 6],
  ["both behind one, and IPv6 of a site: IPv4", { own: [closed4, closed6], peer: [closed4, open6] }, 4],
  ["the peer in CGNAT: IPv6", { own: [open4, open6], peer: ["100.64.3.4", open6] }, 6],
];
for (const [name, { own, peer }, family] of autos) {
  Deno.test(`wireguard modes: auto, ${name}, and the other end comes to the same`, () => {
    const ends = [[own, peer], [peer, own]] as const;
    for (const [[publicIp, publicIp6], [theirs, theirs6]] of ends) {
      const all = { publicIp: theirs.replace(/1$/, "2"), publicIp6: theirs6.replace(/1$/, "2") };
      const [endpoint] = endpointsOf(seen("auto", { own: { publicIp, publicIp6 }, all }));
      assert.equal(endpoint, family === 4 ? `${all.publicIp}:51820` : `[${all.publicIp6}]:51820`);
    }
  });
}

Deno.test("wireguard modes: a peer of IPv4 alone is reached by IPv4 in auto, and in ipv6 not at all", () => {
  const alone = (Mode: string): View => ({
    ...seen(Mode),
    peers: [wireguardLease(2), dualLease(wireguardLease(3))],
  });
  const auto = wireguard.plan(alone("auto"), host);
  assert.deepEqual(peersIn(auto).map(({ endpoint, allowedIps }) => [endpoint, ...allowedIps]), [
    ["192.0.2.2:51820", "10.5.2.0/24"],
    ["192.0.2.3:51820", "10.5.3.0/24", "fd00:5:0:3::/64"],
  ]);
  assert.deepEqual(auto.peers[0]!.keys.length, 2);
  const { peers, refused } = wireguard.plan(alone("ipv6"), host);
  assert.equal(peers.length, 1);
  assert.deepEqual(refused, [{
    subnet: "10.5.2.0/24",
    code: "bad-endpoint",
    reason: 'it announces no PublicIPv6 that can be used, and Mode is "ipv6"',
  }]);
});

Deno.test("wireguard modes: a host whose lease has no IPv6 half is reached by what there is, and reaches so", () => {
  const view = seen("auto", { all: { publicIp: "192.168.7.2" } });
  const { subnet6: _, publicIp6: __, backendV6Data: ___, ...own } = view.own!;
  const plan = wireguard.plan({ ...view, own }, host);
  assert.deepEqual(peersIn(plan).map(({ endpoint, allowedIps }) => [endpoint, ...allowedIps]), [
    ["192.168.7.2:51820", "10.5.2.0/24"],
  ]);
  assert.deepEqual(plan.objects.filter((one) => one.kind === "address").length, 1);
  assert.equal(plan.peers[0]!.keys.length, 2);
  const byIpv6 = { ...seen("ipv6"), own };
  assert.deepEqual(peersIn(wireguard.plan(byIpv6, host)).map(({ endpoint }) => endpoint), [
    "[2001:db8::2]:51820",
  ]);
});

Deno.test("wireguard modes: a peer that still has a device for each family is two on the one device, each by its own half", () => {
  const other = { PublicKey: publicKey(9), Port: 51821 };
  const view = seen("ipv4", { all: { backendV6Data: other } });
  const plan = wireguard.plan(view, host);
  assert.deepEqual(
    peersIn(plan).map(({ link, publicKey, endpoint, allowedIps }) => [
      link,
      publicKey,
      endpoint,
      ...allowedIps,
    ]),
    [
      ["flan-wg", publicKey(2), "192.0.2.2:51820", "10.5.2.0/24"],
      ["flan-wg", publicKey(9), "[2001:db8::2]:51821", "fd00:5:0:2::/64"],
    ],
  );
  assert.deepEqual(plan.refused, []);
  assert.deepEqual(plan.peers.map(({ remote, keys }) => [remote, ...keys]), [[
    undefined,
    `wireguard-peer ${publicKey(2)} dev flan-wg`,
    `wireguard-peer ${publicKey(9)} dev flan-wg`,
    "route 10.5.0.0/16 metric 0",
    "route fd00:5::/48 metric 1024",
  ]]);
  const { subnet6: _, publicIp6: __, backendV6Data: ___, ...own } = view.own!;
  assert.deepEqual(
    peersIn(wireguard.plan({ ...view, own }, host)).map(({ allowedIps }) => allowedIps),
    [["10.5.2.0/24"]],
    "a host without an IPv6 half has none for it",
  );
});

Deno.test("wireguard modes: of a peer's two devices one that has another's key is refused alone", () => {
  const taken = { backendV6Data: { PublicKey: publicKey(3), Port: 51821 } };
  const [three, two] = seen("auto", { peers: [3, 2] }).peers as [Lease, Lease];
  const view = { ...seen("auto"), peers: [three, { ...two, ...taken }] };
  const { peers, objects, refused } = wireguard.plan(view, host);
  assert.deepEqual(peers.map(({ lease }) => lease.subnet), ["10.5.3.0/24", "10.5.2.0/24"]);
  assert.deepEqual(
    objects.flatMap((one) => one.kind === "wireguard-peer" ? [one.allowedIps] : []),
    [["10.5.3.0/24", "fd00:5:0:3::/64"], ["10.5.2.0/24"]],
  );
  assert.deepEqual(refused.map(({ subnet, reason }) => [subnet, reason]), [
    ["fd00:5:0:2::/64", `PublicKey ${publicKey(3)} belongs to 10.5.3.0/24`],
  ]);
});

Deno.test("wireguard modes: of two leases with one key the first is the peer, and both halves of the other are refused", () => {
  const { peers, refused } = wireguard.plan(
    seen("auto", { peers: [2, wireguardLease(3, { key: 2 })] }),
    host,
  );
  assert.deepEqual(peers.map(({ lease }) => lease.subnet), ["10.5.2.0/24"]);
  assert.deepEqual(
    refused.map(({ subnet, reason }) => [subnet, reason]),
    ["10.5.3.0/24", "fd00:5:0:3::/64"].map((
      subnet,
    ) => [subnet, `PublicKey ${publicKey(2)} belongs to 10.5.2.0/24`]),
  );
});

Deno.test("wireguard modes: the MTU leaves 60 bytes over IPv4 and 80 where IPv6 may be the underlay", () => {
  const of = (Mode: string) => wireguard.mtu(seen(Mode).network, host);
  assert.deepEqual(["ipv4", "ipv6", "auto", "separate"].map(of), [1440, 1420, 1420, 1420]);
  const small = dualHost({ mac: "", underlay: { ...host.underlay, mtu: 1300 } });
  assert.throws(() => wireguard.mtu(seen("ipv4").network, small), {
    message: "Cannot use underlay eth0 with MTU 1300: the overlay would have 1240, and 1280 is needed",
  }, "an overlay of IPv6 has at least 1280");
});

Deno.test("wireguard modes: the same peers for the same leases, so that a changed one costs no other", () => {
  const view = seen("auto", { peers: [2, 3] });
  const first = wireguard.plan(view, host);
  const moved = { ...view.peers[1]!, publicIp: "192.0.2.77" };
  const next = wireguard.plan({ ...view, peers: [view.peers[0]!, moved] }, host);
  assert.equal(peersIn(next)[0], peersIn(first)[0]);
  assert.equal(peersIn(next)[1]!.endpoint, "192.0.2.77:51820");
});
