/** What `flan routes` says of each peer, whatever of its data plane is missing. */
import assert from "node:assert/strict";
import { observeHost } from "../../agent/host.ts";
import { networkIn } from "../../agent/network.ts";
import { compare } from "../../cmd/observe.ts";
import { rowsOf } from "../../cmd/route_rows.ts";
import { keyOf, type Link, type Proxy, type ProxyRoute } from "../../kernel/state.ts";
import { hostGwNetwork, hostGwPeer, type TestHost, TestNetwork, udpNetwork, udpPeer } from "../lib/agents.ts";

/** Subnet, way, state and note of each line, as `flan routes` sees this host. */
async function rows(network: TestNetwork, host: TestHost, hidden = false): Promise<(string | undefined)[][]> {
  const snapshot = await network.store.read();
  const known = { snapshot, ...networkIn(snapshot, network.store.url) };
  const objects = await host.kernel.dump({ links: known.devices, sysctls: [] });
  const facts = await observeHost(host.kernel, {
    ...known,
    options: host.options,
    objects,
    clock: network.clock,
  });
  const observation = await compare({
    kernel: host.kernel,
    isProxyHidden: () => hidden,
    isFirewallHidden: () => false,
    isHooksHidden: () => false,
    isWireguardHidden: () => false,
    isIpsecHidden: () => false,
  }, {
    network: known,
    host: facts,
    settings: host.options,
    objects,
  });
  return rowsOf({ ...observation, trouble: undefined, expired: new Set() })
    .map(({ subnet, via, dev, kind, state, note }) => [subnet, via, dev, kind, state, note]);
}

/** A host of a udp network with peers 2 and 3 whose agent has stopped, and one of its objects. */
async function stopped(network: TestNetwork) {
  const host = await network.joined(1);
  const [first, second] = [await network.peer(2, udpPeer), await network.peer(3, udpPeer)];
  await host.stop();
  const object = <T>(key: string) => host.kernel.stack.objects.get(key) as T;
  return { host, first: first.subnet, second: second.subnet, object };
}

Deno.test("routes: every udp peer by its address over flan0, and this host itself", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const { host, first, second } = await stopped(network);
  const seen = await rows(network, host);
  assert.deepEqual(
    seen.toSorted(),
    [
      [host.agent.state.own!.subnet, undefined, undefined, "local", "local", undefined],
      [first, "192.0.2.2", "flan0", "udp", "ok", undefined],
      [second, "192.0.2.3", "flan0", "udp", "ok", undefined],
    ].toSorted(),
  );
});

Deno.test("routes: a host-gw peer goes over the underlay, or is missing its route", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const host = await network.joined(1);
  const { subnet } = await network.peer(2, hostGwPeer);
  await host.stop();
  const row = async () => (await rows(network, host)).find(([one]) => one === subnet);
  assert.deepEqual(await row(), [subnet, "192.0.2.2", "eth0", "host-gw", "ok", undefined]);
  host.kernel.stack.delete(host.agent.state.plan.objects[0]!);
  assert.deepEqual(await row(), [subnet, "192.0.2.2", "eth0", "host-gw", "missing", "route"]);
});

Deno.test("routes: an alloc peer is well as it is, by its address and over nothing of flan's", async () => {
  await using network = await TestNetwork.start({ Network: "10.5.0.0/16", Backend: { Type: "alloc" } });
  const host = await network.joined(1);
  const { subnet } = await network.peer(2);
  await host.stop();
  const row = (await rows(network, host)).find(([one]) => one === subnet);
  assert.deepEqual(row, [subnet, "192.0.2.2", undefined, "alloc", "ok", undefined]);
});

Deno.test("routes: a proxy that this user cannot see is not judged, all else is", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const { host, first, second, object } = await stopped(network);
  host.kernel.stack.delete(object<Proxy>("proxy flan0"));
  const states = async () =>
    new Map((await rows(network, host, true)).map(([subnet, , , , state, note]) => [subnet, [state, note]]));
  const before = await states();
  assert.deepEqual([before.get(first), before.get(second)], [["ok", undefined], ["ok", undefined]]);
  host.kernel.stack.delete(object<Link>("link flan0"));
  assert.deepEqual((await states()).get(first), ["missing", "link,address,route"]);
});

const idle = "carrying is false, not true";

/** Each damage with the state and the note of the first peer, and of the second. */
const damages: readonly [
  name: string,
  damage: (place: Awaited<ReturnType<typeof stopped>>) => void,
  states: readonly [readonly (string | undefined)[], readonly (string | undefined)[]],
][] = [
  [
    "its route in the proxy is gone",
    ({ host, first, object }) =>
      host.kernel.stack.delete(object<ProxyRoute>(`proxy route ${first} dev flan0`)),
    [["missing", "proxy-route"], ["ok", undefined]],
  ],
  [
    "its route in the proxy leads elsewhere",
    ({ host, first, object }) =>
      host.kernel.stack.replace({
        ...object<ProxyRoute>(`proxy route ${first} dev flan0`),
        remote: "192.0.2.99",
      }),
    [["wrong", "proxy-route (remote is 192.0.2.99, not 192.0.2.2)"], ["ok", undefined]],
  ],
  [
    "the proxy carries nothing",
    ({ host }) => host.kernel.stack.failProxy("flan0"),
    [["wrong", `proxy (${idle})`], ["wrong", `proxy (${idle})`]],
  ],
  [
    "the proxy has ended",
    ({ host, object }) => host.kernel.stack.delete(object<Proxy>("proxy flan0")),
    [["missing", "proxy,proxy-route"], ["missing", "proxy,proxy-route"]],
  ],
  [
    "the device is gone",
    ({ host, object }) => host.kernel.stack.delete(object<Link>("link flan0")),
    [["wrong", `link,address,proxy (${idle}),route`], ["wrong", `link,address,proxy (${idle}),route`]],
  ],
];

for (const [name, damage, states] of damages) {
  Deno.test(`routes: a udp peer is not shown as reached when ${name}`, async () => {
    await using network = await TestNetwork.start(udpNetwork);
    const place = await stopped(network);
    damage(place);
    const seen = new Map((await rows(network, place.host)).map(([subnet, , , , state, note]) => [
      subnet,
      [state, note],
    ]));
    assert.deepEqual([place.first, place.second].map((subnet) => seen.get(subnet)), states);
  });
}

Deno.test("routes: a foreign route to the whole network is in every peer's way", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const { host, first, object } = await stopped(network);
  const route = [...host.kernel.stack.objects.values()].find((one) =>
    one.kind === "route" && one.link === "flan0"
  )!;
  host.kernel.stack.delete(object(keyOf(route)));
  assert.ok(route.kind === "route");
  host.kernel.stack.add({ ...route, link: "eth0", protocol: 4 });
  const seen = (await rows(network, host)).find(([subnet]) => subnet === first);
  assert.deepEqual(seen?.slice(1), [undefined, "eth0", "udp", "foreign", "route 10.5.0.0/16 dev eth0"]);
});

Deno.test("routes: a peer's route that leads elsewhere is shown with where it leads", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const host = await network.joined(1);
  const { subnet } = await network.peer(2, hostGwPeer);
  await host.stop();
  const route = host.kernel.stack.objects.get(`route ${subnet} metric 0`);
  assert.ok(route?.kind === "route");
  const link = { kind: "link", name: "eth1", type: "", alias: "", mac: "", mtu: 1500, up: true } as const;
  host.kernel.stack.add(link);
  host.kernel.stack.replace({ ...route, gateway: "", link: "eth1" });
  const row = (await rows(network, host)).find(([one]) => one === subnet);
  const note = "route (link is eth1, not eth0, gateway is none, not 192.0.2.2)";
  assert.deepEqual(row, [subnet, "192.0.2.2", "eth1", "host-gw", "wrong", note]);
});

Deno.test("routes: somebody's route for a part of a peer's subnet makes that peer foreign, and no other", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const host = await network.joined(1);
  const { subnet } = await network.peer(2, hostGwPeer);
  const { subnet: other } = await network.peer(3, hostGwPeer);
  await host.stop();
  const route = host.kernel.stack.objects.get(`route ${subnet} metric 0`);
  assert.ok(route?.kind === "route");
  const destination = subnet.replace("0/24", "128/25");
  const hole = { ...route, destination, type: "blackhole", gateway: "", link: "", protocol: 4 };
  host.kernel.stack.add(hole);
  const seen = new Map((await rows(network, host)).map(([one, , , , ...rest]) => [one, rest]));
  assert.deepEqual(seen.get(subnet), ["foreign", `route blackhole ${destination} wins`]);
  assert.deepEqual(seen.get(other), ["ok", undefined]);
});

const carriers: readonly [what: string, change: Partial<Link>, note: string][] = [
  ["another MTU", { mtu: 1300 }, "link (mtu is 1300, not 1472)"],
  ["a device that is down", { up: false }, "link (is down)"],
];

for (const [what, change, note] of carriers) {
  Deno.test(`routes: ${what} is wrong for every peer behind it`, async () => {
    await using network = await TestNetwork.start(udpNetwork);
    const { host, first, second, object } = await stopped(network);
    host.kernel.stack.replace({ ...object<Link>("link flan0"), ...change });
    const seen = new Map((await rows(network, host)).map(([subnet, , , , ...rest]) => [subnet, rest]));
    for (const peer of [first, second]) {
      assert.equal(seen.get(peer)?.[0], "wrong");
      assert.ok(seen.get(peer)?.[1]?.startsWith(note), seen.get(peer)?.[1]);
    }
  });
}

Deno.test("routes: an address that is gone from the device is named for every peer behind it", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const { host, first, second } = await stopped(network);
  const address = [...host.kernel.stack.objects.values()].find((one) =>
    one.kind === "address" && one.link === "flan0"
  )!;
  host.kernel.stack.delete(address);
  const seen = new Map(
    (await rows(network, host)).map(([subnet, , , , state, note]) => [subnet, [state, note]]),
  );
  for (const peer of [first, second]) assert.deepEqual(seen.get(peer), ["missing", "address,route"]);
});
