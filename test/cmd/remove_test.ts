/** What `flan down` takes from the kernel, and what it says of it. */
import assert from "node:assert/strict";
import { readHostState } from "../../agent/host_state.ts";
import { removeFromKernel } from "../../cmd/remove.ts";
import type { ForwardRules, KernelObject, Masquerade } from "../../kernel/state.ts";
import {
  defaultRoute,
  hostGwNetwork,
  hostGwPeer,
  type TestHost,
  TestNetwork,
  udpNetwork,
  udpPeer,
} from "../lib/agents.ts";
import { contents } from "../lib/reconciling.ts";

/** Who `flan down` finds this host to be. */
function selfOf({ options }: TestHost, device: string) {
  return { ...readHostState(options.stateDir)!, device };
}

async function removed(host: TestHost, device: string): Promise<readonly string[]> {
  await host.stop();
  const removal = await removeFromKernel(host.kernel, selfOf(host, device));
  assert.deepEqual(removal.left, []);
  assert.deepEqual(host.keys(), []);
  return removal.removed;
}

Deno.test("remove: the proxy of a udp network is stopped by name, and its routes are counted", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  for (const n of [2, 3, 4]) await network.peer(n, udpPeer);
  assert.deepEqual(await removed(host, "flan0"), [
    "removed link flan0",
    "stopped the proxy of flan0 at 192.0.2.1:8285",
    "removed 1 route, 3 proxy routes",
  ]);
});

Deno.test("remove: one peer takes one proxy route, and a proxy whose device is gone is stopped, too", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await network.peer(2, udpPeer);
  await host.stop();
  host.kernel.stack.delete(host.kernel.stack.link("flan0")!);
  assert.deepEqual(await removed(host, "flan0"), [
    "stopped the proxy of flan0 at 192.0.2.1:8285",
    "removed 1 proxy route",
  ]);
});

Deno.test("remove: a vxlan network says what it always did", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  for (const n of [2, 3]) await network.peer(n);
  assert.deepEqual(await removed(host, "flan.1"), [
    "removed link flan.1",
    "removed 2 routes, 2 neighbours, 2 FDB entries, 2 nexthops",
  ]);
});

Deno.test("remove: a proxy that does not stop is what went wrong", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await host.stop();
  host.kernel.failNext("delete", "ETIMEDOUT", { kind: "proxy", times: 9 });
  await assert.rejects(removeFromKernel(host.kernel, selfOf(host, "flan0")), {
    message: /^Cannot delete proxy of flan0 at 192\.0\.2\.1:8285: /,
  });
});

Deno.test("remove: a TUN device without flan's alias is left, and named where this host had it", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await host.stop();
  const link = host.kernel.stack.link("flan0")!;
  host.kernel.stack.replace({ ...link, alias: "" });
  const { left } = await removeFromKernel(host.kernel, selfOf(host, "flan0"));
  assert.deepEqual(left, [{ what: "link flan0", command: "ip link delete flan0" }]);
  assert.deepEqual((await removeFromKernel(host.kernel, selfOf(host, "flan.1"))).left, []);
});

Deno.test("remove: what the kernel does not show is asked for by this host's mark, and told like the rest", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  await host.stop();
  const self = selfOf(host, "flan.1");
  const unseen = { kind: "masquerade", family: 4, alias: `flan ${self.node}`, rules: [] } as const;
  const { removed } = await removeFromKernel(host.kernel, self, {
    remove: ({ alias }) => Promise.resolve(alias === unseen.alias ? [unseen] : []),
    find: () => Promise.resolve([]),
  });
  assert.deepEqual(removed, ["removed link flan.1", "removed masquerade rules in table ip flan"]);
});

const rules: ForwardRules = {
  kind: "forward-rules",
  chain: "ip filter FORWARD",
  alias: "flan 00000000000000aa",
  rules: [{ source: "10.5.0.0/16", action: "accept" }],
};
const table: Masquerade = {
  kind: "masquerade",
  family: 4,
  alias: rules.alias,
  rules: [{ source: "10.5.0.0/16", action: "masquerade" }],
};

Deno.test("remove: on a host that nobody knows, each kind that bears flan's mark is left, and named with its command", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const host = await network.joined(1);
  for (const n of [2, 3]) await network.peer(n, hostGwPeer);
  await host.stop();
  const { kernel } = host;
  const nexthop = { ...{ id: 7, gateway: "192.0.2.9", link: "eth0", onlink: true }, protocol: 113 } as const;
  for (const one of [rules, table, { kind: "nexthop", ...nexthop }] as KernelObject[]) kernel.stack.add(one);
  const before = contents(kernel);
  assert.deepEqual(await removeFromKernel(kernel, undefined), {
    removed: [],
    left: [
      { what: "2 routes", command: "ip route flush proto 113" },
      { what: "1 nexthop", command: "ip nexthop flush proto 113" },
      {
        what: "forward rules in chain ip filter FORWARD",
        command: "nft -a list chain ip filter FORWARD, and nft delete rule ip filter FORWARD handle N " +
          'for those with comment "flan 00000000000000aa"',
      },
      { what: "masquerade rules in table ip flan", command: "nft delete table ip flan" },
    ],
  });
  assert.deepEqual(contents(kernel), before, "they may be another flan's");
});

Deno.test("remove: of a device that is left, what goes with it is not named", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  await network.peer(2);
  await host.stop();
  const { left } = await removeFromKernel(host.kernel, undefined);
  assert.deepEqual(left, [{ what: "link flan.1", command: "ip link delete flan.1" }]);
});

Deno.test("remove: on a host that nobody knows, what can be no other flan's goes", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await network.peer(2, udpPeer);
  await host.stop();
  host.kernel.stack.add({ kind: "masquerade", family: 4, alias: "", rules: [] });
  const { removed, left } = await removeFromKernel(host.kernel, undefined);
  assert.deepEqual(removed, [
    "removed masquerade rules in table ip flan",
    "stopped the proxy of flan0 at 192.0.2.1:8285",
    "removed 1 proxy route",
  ]);
  assert.deepEqual(left.map(({ what }) => what), ["link flan0"]);
});

Deno.test("remove: a host on which nothing bears flan's mark has nothing left, whatever else is on it", async () => {
  await using network = await TestNetwork.start();
  const { kernel } = network.host(1);
  kernel.stack.add({ ...defaultRoute, destination: "10.9.0.0/24", gateway: "192.0.2.9" });
  kernel.stack.add({ ...rules, alias: "", rules: [] });
  kernel.stack.add({ ...table, alias: "", rules: [{ action: "other" }] });
  assert.deepEqual(await removeFromKernel(kernel, undefined), { removed: [], left: [] });
});

Deno.test("remove: what only iptables shows is named with the command for iptables", async () => {
  await using network = await TestNetwork.start();
  const { kernel } = network.host(1);
  kernel.stack.add(rules);
  const removal = ["*nat", `-D POSTROUTING --comment "somebody's"`, "-X FLAN-POSTRTG", "COMMIT"];
  const there = { program: "iptables" as const, objects: [rules, table], removal };
  const unseen = { remove: () => Promise.resolve([]), find: () => Promise.resolve([there]) };
  const { left } = await removeFromKernel(kernel, undefined, unseen);
  assert.deepEqual(left.map(({ what }) => what), [
    "forward rules in chain ip filter FORWARD, masquerade rules in table ip flan (iptables)",
  ]);
  const command = String
    .raw`printf '%s\n' '*nat' '-D POSTROUTING --comment "somebody'\''s"' '-X FLAN-POSTRTG' COMMIT | iptables-restore --noflush`;
  assert.equal(left[0]!.command, command);
  const sh = new Deno.Command("sh", { args: ["-c", command.replace(/ \|.*/, "")] });
  assert.equal(new TextDecoder().decode((await sh.output()).stdout), `${removal.join("\n")}\n`);
});
