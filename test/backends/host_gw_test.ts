/** What the host-gw backend plans, announces and refuses. */
import assert from "node:assert/strict";
import { hostGw } from "../../backends/host_gw.ts";
import { config, host, hostGwLease, hostGwView as view, lease } from "../lib/overlay.ts";

Deno.test("host-gw: each peer takes one plain route by its own address, and nothing else is made", () => {
  const { objects, peers, refused } = hostGw.plan(view([2, 3]), host());
  const route = (n: number) => ({
    kind: "route",
    destination: `10.5.${n}.0/24`,
    metric: 0,
    link: "eth0",
    gateway: `192.0.2.${n}`,
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: 113,
  });
  assert.deepEqual(objects, [route(2), route(3)]);
  const keys = (n: number) => [`route 10.5.${n}.0/24 metric 0`];
  assert.deepEqual(peers, [2, 3].map((n) => ({ lease: hostGwLease(n), way: "host-gw", keys: keys(n) })));
  assert.deepEqual(refused, []);
});

Deno.test("host-gw: a peer that is not on the link is refused alone", () => {
  const far = hostGwLease(3, { publicIp: "198.51.100.3" });
  const { peers, refused } = hostGw.plan(view([2, far, 4]), host());
  assert.deepEqual(peers.map((one) => one.lease.subnet), ["10.5.2.0/24", "10.5.4.0/24"]);
  assert.deepEqual(refused, [{
    subnet: "10.5.3.0/24",
    code: "not-on-link",
    reason: "PublicIP 198.51.100.3 is not on the link eth0, and host-gw sends by no gateway",
  }]);
});

Deno.test("host-gw: leases of other backends, bad endpoints and own addresses are refused, each for its reason", () => {
  const peers = [
    lease(2),
    hostGwLease(3, { backendType: "" }),
    hostGwLease(4, { publicIp: "224.0.0.1" }),
    hostGwLease(5, { publicIp: "192.0.2.1" }),
  ];
  const { objects, refused } = hostGw.plan(view(peers), host());
  assert.deepEqual(objects, []);
  assert.deepEqual(refused.map(({ code, reason }) => [code, reason]), [
    ["other-backend", 'its backend is "vxlan", not "host-gw"'],
    ["other-backend", 'its backend is "udp", not "host-gw"'],
    ["bad-endpoint", 'PublicIP "224.0.0.1" cannot be a host\'s IPv4 address'],
    ["duplicate-endpoint", "PublicIP 192.0.2.1 is this host's own"],
  ]);
});

Deno.test("host-gw: without a lease of its own nothing is planned", () => {
  const empty = { objects: [], peers: [], refused: [] };
  assert.deepEqual(hostGw.plan({ ...view([2]), own: undefined }, host()), empty);
});

Deno.test("host-gw: the lease announces the type and no data, as flannel's", () => {
  const announced = hostGw.announce(config({}, "host-gw"), host());
  assert.deepEqual(announced, { backendType: "host-gw", backendData: undefined });
});

Deno.test("host-gw: there is no device, and the MTU is the underlay's", () => {
  const network = config({}, "host-gw");
  assert.deepEqual([hostGw.devices(network), hostGw.hasMac, hostGw.needs], [[], false, []]);
  assert.equal(hostGw.mtu(network, host()), 1500);
  assert.equal(hostGw.mtu(network, host({ mtu: 1400 })), 1400);
  assert.throws(() => hostGw.mtu(network, host({ mtu: 1501 })), { code: "invalid", message: /576 to 1500/ });
});

Deno.test("host-gw: options that it does not have are noted", () => {
  const [note] = hostGw.check(config({ VNI: 7 }, "host-gw"));
  assert.equal(note, 'The host-gw option "VNI" is not known to this version and is ignored');
  assert.deepEqual(hostGw.check(config({}, "host-gw")), []);
});

Deno.test("host-gw: a host that announces another address than the underlay's is refused", () => {
  const network = config({}, "host-gw");
  hostGw.requireHost(network, host());
  assert.throws(() => hostGw.requireHost(network, host({ publicIp: "203.0.113.7" })), {
    code: "invalid",
    message:
      "Cannot use backend host-gw with public address 203.0.113.7: it is not the address 192.0.2.1 on eth0",
  });
});
