/** The wireguard plan: what stands in it, who is a peer, what is announced, and that no secret is in any of it. */
import assert from "node:assert/strict";
import { withIdentity } from "../../backends/identity.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { keyText } from "../../net/wireguard_key.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import { config, NODE, wireguardHost, wireguardLease, wireguardView } from "../lib/overlay.ts";
import { dualHost, dualView } from "../lib/stacks.ts";

const PSK = keyText(new Uint8Array(32).fill(5));

Deno.test("wireguard: one device, one peer a host, and one route for the whole network, with a barrier behind it", () => {
  const { objects, peers, refused } = wireguard.plan(wireguardView([2]), wireguardHost());
  const key = publicKey(2);
  assert.deepEqual(objects, [
    {
      kind: "route",
      destination: "10.5.0.0/16",
      metric: 4294967294,
      link: "",
      gateway: "",
      onlink: false,
      nexthop: 0,
      type: "unreachable",
      protocol: 113,
    },
    {
      kind: "link",
      name: "flan-wg",
      type: "wireguard",
      alias: `flan ${NODE}`,
      mac: "",
      mtu: 1440,
      up: true,
      wireguard: { listenPort: 51820, publicKey: publicKey(1) },
    },
    { kind: "address", link: "flan-wg", address: "10.5.1.0/32" },
    {
      kind: "wireguard-peer",
      link: "flan-wg",
      publicKey: key,
      endpoint: "192.0.2.2:51820",
      allowedIps: ["10.5.2.0/24"],
      keepalive: 0,
      presharedKey: "",
    },
    {
      kind: "route",
      destination: "10.5.0.0/16",
      metric: 0,
      link: "flan-wg",
      gateway: "",
      onlink: false,
      nexthop: 0,
      type: "unicast",
      protocol: 113,
    },
  ]);
  assert.deepEqual(peers.map(({ way, keys }) => [way, keys]), [
    ["wireguard", [`wireguard-peer ${key} dev flan-wg`, "route 10.5.0.0/16 metric 0"]],
  ]);
  assert.deepEqual(refused, []);
});

Deno.test("wireguard: each family of a dual-stack network has a device, a port and an MTU of its own", () => {
  const view = dualView(wireguardView([2]));
  const host = dualHost({ mac: "", publicKey: publicKey(1) });
  const { objects, peers } = wireguard.plan(view, host);
  assert.deepEqual(
    objects.flatMap((one) => one.kind === "link" ? [[one.name, one.mtu, one.wireguard?.listenPort]] : []),
    [["flan-wg", 1440, 51820], ["flan-wg-v6", 1420, 51821]],
  );
  assert.deepEqual(
    objects.flatMap((one) =>
      one.kind === "wireguard-peer" ? [[one.link, one.endpoint, ...one.allowedIps]] : []
    ),
    [
      ["flan-wg", "192.0.2.2:51820", "10.5.2.0/24"],
      ["flan-wg-v6", "[2001:db8::2]:51821", "fd00:5:0:2::/64"],
    ],
  );
  assert.deepEqual(objects.flatMap((one) => one.kind === "sysctl" ? [`${one.name}=${one.value}`] : []), [
    "net/ipv6/conf/flan-wg-v6/disable_ipv6=0",
    "net/ipv6/conf/flan-wg-v6/accept_ra=0",
  ], "IPv6 may be switched off for whatever device is new");
  assert.equal(peers[0]?.keys.length, 4);
  assert.equal(wireguard.mtu(view.network, host), 1420);
  assert.deepEqual([wireguard.hasKey, wireguard.encrypts], [true, true]);
  assert.deepEqual(wireguard.announce(view.network, host), {
    backendType: "wireguard",
    backendData: { PublicKey: publicKey(1), Port: 51820 },
    backendV6Data: { PublicKey: publicKey(1), Port: 51821 },
  });
});

Deno.test("wireguard: each device has a key of its own, as the halves of leases tell it, and no other's peers", () => {
  const data = (key: number, Port: number) => ({ PublicKey: publicKey(key), Port });
  const view = dualView(wireguardView([2]));
  const peers = view.peers.map((one) => ({ ...one, backendV6Data: data(62, 51821) }));
  const host = withIdentity(dualHost(), { macs: [], publicKeys: [publicKey(1), publicKey(61)] });
  const { objects, refused } = wireguard.plan({ ...view, peers }, host);
  const keys = objects.flatMap((one) =>
    one.kind === "link"
      ? [[one.name, one.wireguard?.publicKey]]
      : one.kind === "wireguard-peer"
      ? [[one.link, one.publicKey]]
      : []
  );
  assert.deepEqual(keys, [
    ["flan-wg", publicKey(1)],
    ["flan-wg-v6", publicKey(61)],
    ["flan-wg", publicKey(2)],
    ["flan-wg-v6", publicKey(62)],
  ]);
  assert.deepEqual(refused, []);
  assert.deepEqual(wireguard.announce(view.network, host), {
    backendType: "wireguard",
    backendData: data(1, 51820),
    backendV6Data: data(61, 51821),
  });
});

Deno.test("wireguard: the options are flannel's, in any case", () => {
  const options = { listenport: 4000, PersistentKeepaliveInterval: 25, psk: PSK, MTU: 1400 };
  const { objects } = wireguard.plan(wireguardView([2], options), wireguardHost());
  const [, link, , peer] = objects;
  assert.ok(link?.kind === "link" && peer?.kind === "wireguard-peer");
  assert.deepEqual([link.mtu, link.wireguard?.listenPort], [1340, 4000]);
  assert.deepEqual([peer.keepalive, peer.presharedKey], [25, fingerprint(new Uint8Array(32).fill(5))]);
  const network = config(options, "wireguard");
  assert.deepEqual(wireguard.announce(network, wireguardHost()).backendData, {
    PublicKey: publicKey(1),
    Port: 4000,
  });
  assert.deepEqual([...wireguard.secrets!(network)], [[peer.presharedKey, new Uint8Array(32).fill(5)]]);
  assert.deepEqual(wireguard.check(network), []);
});

for (const psk of ["short", `${PSK}\n`, PSK.replace("=", "A"), 7, `${"B".repeat(43)}=`]) {
  Deno.test(`wireguard: ${JSON.stringify(psk)} is no pre-shared key, and is not repeated`, () => {
    assert.throws(
      () => wireguard.check(config({ PSK: psk }, "wireguard")),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid");
        assert.equal(
          error.message,
          "Cannot use the wireguard options: PSK cannot be used: 32 bytes in base64, as wg genpsk makes them, is needed",
        );
        return true;
      },
    );
  });
}

Deno.test("wireguard: a pre-shared key stands nowhere in a plan", () => {
  const plan = wireguard.plan(wireguardView([2, 3], { PSK }), wireguardHost());
  assert.ok(!JSON.stringify(plan).includes(PSK));
});

const data = (change: object) =>
  wireguardLease(2, { backendData: { PublicKey: publicKey(2), Port: 1, ...change } });

Deno.test("wireguard: a peer that names no port is at this host's own, as before flannel 0.26.6", () => {
  for (const lease of [data({ Port: 0 }), wireguardLease(2, { backendData: { publickey: publicKey(2) } })]) {
    const { objects } = wireguard.plan(wireguardView([lease], { ListenPort: 4000 }), wireguardHost());
    const peer = objects.find((one) => one.kind === "wireguard-peer");
    assert.equal(peer?.kind === "wireguard-peer" && peer.endpoint, "192.0.2.2:4000");
  }
});

const refusals: [string, ReturnType<typeof wireguardLease>, string][] = [
  ["other-backend", wireguardLease(2, { backendType: "vxlan" }), 'its backend is "vxlan", not "wireguard"'],
  ["bad-backend-data", wireguardLease(2, { backendData: "x" }), 'BackendData is "x", not an object'],
  ["bad-backend-data", data({ PublicKey: undefined! }), "PublicKey is missing"],
  ["bad-backend-data", data({ PublicKey: "abc" }), 'PublicKey "abc" is no WireGuard key'],
  ["bad-backend-data", data({ Port: 70000 }), "Port 70000 is not 1 to 65535"],
  ["duplicate-key", data({ PublicKey: publicKey(1) }), `PublicKey ${publicKey(1)} belongs to this host`],
  [
    "duplicate-endpoint",
    wireguardLease(2, { publicIp: "192.0.2.1" }),
    "PublicIP 192.0.2.1 is this host's own",
  ],
];

for (const [code, lease, reason] of refusals) {
  Deno.test(`wireguard: refused as ${code}: ${reason.slice(0, 40)}`, () => {
    const { peers, refused } = wireguard.plan(wireguardView([lease, 3]), wireguardHost());
    assert.deepEqual(refused, [{ subnet: "10.5.2.0/24", code, reason }]);
    assert.equal(peers.length, 1);
  });
}

Deno.test("wireguard: of two hosts with one key the first is the peer", () => {
  const { peers, refused } = wireguard.plan(
    wireguardView([2, wireguardLease(3, { key: 2 })]),
    wireguardHost(),
  );
  assert.deepEqual(peers.map(({ lease }) => lease.subnet), ["10.5.2.0/24"]);
  assert.deepEqual(refused.map(({ code, reason }) => [code, reason]), [
    ["duplicate-key", `PublicKey ${publicKey(2)} belongs to 10.5.2.0/24`],
  ]);
});

Deno.test("wireguard: hosts behind one address are peers by their ports", () => {
  const behind = (n: number, Port: number) =>
    wireguardLease(n, { publicIp: "198.51.100.1", backendData: { PublicKey: publicKey(n), Port } });
  const { objects, refused } = wireguard.plan(
    wireguardView([behind(2, 4002), behind(3, 4003)]),
    wireguardHost(),
  );
  assert.deepEqual(
    objects.flatMap((one) => one.kind === "wireguard-peer" ? [one.endpoint] : []),
    ["198.51.100.1:4002", "198.51.100.1:4003"],
  );
  assert.deepEqual(refused, []);
});

Deno.test("wireguard: the MTU leaves 60 bytes on an underlay of IPv4, and a wish beyond that is refused", () => {
  const network = config({}, "wireguard");
  assert.equal(wireguard.mtu(network, wireguardHost()), 1440);
  assert.equal(wireguard.mtu(network, wireguardHost({ mtu: 1300 })), 1300);
  assert.throws(() => wireguard.mtu(network, wireguardHost({ mtu: 1441 })), { code: "invalid" });
});
