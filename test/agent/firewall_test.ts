/** The rules of the packet filter in a plan, and an agent that keeps them. */
import assert from "node:assert/strict";
import { needsOf, planFor } from "../../agent/firewall.ts";
import { ownLease } from "../../agent/status.ts";
import type { Firewall } from "../../backends/backend.ts";
import { dualStack } from "../../backends/dual.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { udp } from "../../backends/udp.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { ForwardRules, KernelObject, Masquerade } from "../../kernel/state.ts";
import { type TestHost, TestNetwork } from "../lib/agents.ts";
import { config, host, PRESHARED_KEY, view } from "../lib/overlay.ts";
import { dualHost, dualView } from "../lib/stacks.ts";

const none: Firewall = { masquerade: false, exempt: [], dropping: [] };

function rulesFor(firewall: Partial<Firewall>): readonly KernelObject[] {
  return planFor(vxlan, view([2]), host({ firewall: { ...none, ...firewall } })).objects
    .filter(({ kind }) => kind === "masquerade" || kind === "forward-rules");
}

Deno.test("plan: nothing is asked of the packet filter where nobody wants masquerading and nobody drops", () => {
  const plan = planFor(vxlan, view([2]), host());
  assert.deepEqual(plan, vxlan.plan(view([2]), host()));
});

Deno.test("plan: flannel's masquerade rules in its order, the exempted destinations before the first that masquerades", () => {
  const [object, ...more] = rulesFor({ masquerade: true, exempt: ["192.168.0.0/16", "0.0.0.0/0"] });
  assert.deepEqual(more, []);
  assert.deepEqual(object, {
    kind: "masquerade",
    family: 4,
    alias: "flan 3f2a",
    rules: [
      { mark: "0x4000", action: "return" },
      { source: "10.5.1.0/24", destination: "10.5.0.0/16", action: "return" },
      { source: "10.5.0.0/16", destination: "10.5.1.0/24", action: "return" },
      { source: "!10.5.0.0/16", destination: "10.5.1.0/24", action: "return" },
      { source: "10.5.0.0/16", destination: "192.168.0.0/16", action: "return" },
      { source: "10.5.0.0/16", action: "return" },
      { source: "10.5.0.0/16", destination: "!224.0.0.0/4", action: "masquerade" },
      { source: "!10.5.0.0/16", destination: "10.5.0.0/16", action: "masquerade" },
    ],
  });
});

Deno.test("plan: each chain that drops takes two rules; without a lease there are none at all", () => {
  const dropping = ["ip filter FORWARD", "inet fw forward"];
  const rules = [{ source: "10.5.0.0/16", action: "accept" }, {
    destination: "10.5.0.0/16",
    action: "accept",
  }];
  assert.deepEqual(
    rulesFor({ dropping }),
    dropping.map((chain) => ({ kind: "forward-rules", chain, alias: "flan 3f2a", rules })),
  );
  const firewall = { masquerade: true, exempt: [], dropping };
  assert.deepEqual(planFor(vxlan, { ...view([2]), own: undefined }, host({ firewall })).objects, []);
});

Deno.test("plan: of a dual-stack network each family has its own table, and the chains that its packets pass", () => {
  const dropping = ["ip filter FORWARD", "ip6 filter FORWARD", "inet fw forward"];
  const firewall = { masquerade: true, exempt: ["192.168.0.0/16", "fd99::/16"], dropping };
  const { objects } = planFor(dualStack(vxlan), dualView(view([2])), dualHost({ firewall }));
  const tables = objects.filter((one): one is Masquerade => one.kind === "masquerade");
  assert.deepEqual(tables.map(({ family, rules }) => [family, rules.length]), [[4, 7], [6, 7]]);
  assert.deepEqual(tables[1]!.rules.slice(1), [
    { source: "fd00:5:0:1::/64", destination: "fd00:5::/48", action: "return" },
    { source: "fd00:5::/48", destination: "fd00:5:0:1::/64", action: "return" },
    { source: "!fd00:5::/48", destination: "fd00:5:0:1::/64", action: "return" },
    { source: "fd00:5::/48", destination: "fd99::/16", action: "return" },
    { source: "fd00:5::/48", destination: "!ff00::/8", action: "masquerade" },
    { source: "!fd00:5::/48", destination: "fd00:5::/48", action: "masquerade" },
  ]);
  const passing = objects.flatMap((one) =>
    one.kind === "forward-rules" ? [[one.chain, one.rules.flatMap(({ source }) => source ?? [])]] : []
  );
  assert.deepEqual(passing, [
    ["ip filter FORWARD", ["10.5.0.0/16"]],
    ["ip6 filter FORWARD", ["fd00:5::/48"]],
    ["inet fw forward", ["10.5.0.0/16", "fd00:5::/48"]],
  ]);
  const four = planFor(vxlan, view([2]), host({ firewall })).objects;
  assert.ok(!four.some((one) => one.kind === "forward-rules" && one.chain.startsWith("ip6")));
});

Deno.test("needs: only a host that masquerades needs a packet filter", () => {
  const options = { ipMasq: false, noMasq: undefined, noForwardRules: false };
  assert.deepEqual(needsOf({ backend: udp }, options), ["tun", "proxy"]);
  assert.deepEqual(needsOf({ backend: udp }, { ...options, ipMasq: true }), ["tun", "proxy", "firewall"]);
});

Deno.test("needs: what an option of the network asks for counts as well", () => {
  const options = { ipMasq: false };
  const network = (UDPEncap: boolean) => config({ PSK: PRESHARED_KEY, UDPEncap }, "ipsec");
  assert.deepEqual(needsOf({ backend: ipsec, config: network(true) }, options), ["ipsec", "udp-encap"]);
  assert.deepEqual(needsOf({ backend: ipsec, config: network(false) }, options), ["ipsec"]);
});

/** A chain of somebody else that drops, as a dump tells of it. */
const drops: ForwardRules = { kind: "forward-rules", chain: "ip filter FORWARD", alias: "", rules: [] };
const ADMINISTRATOR = 77;

const rulesOn = ({ kernel }: TestHost) =>
  [...kernel.stack.objects.values()].filter((object): object is Masquerade | ForwardRules =>
    (object.kind === "masquerade" || object.kind === "forward-rules") && object.alias !== ""
  );

Deno.test("agent: masquerade rules are made at the join, told in subnet.env, and put back whatever befalls them", async () => {
  await using network = await TestNetwork.start();
  const one = await network.joined(1, { ipMasq: true });
  const [rules] = rulesOn(one) as [Masquerade];
  assert.equal(rules.kind, "masquerade");
  assert.match(one.subnetEnv, /^FLANNEL_IPMASQ=true$/m);
  assert.equal(ownLease({ ...one.agent.state, lease: one.agent.state.own! }).ipMasq, true);
  const { stack } = one.kernel;
  const deeds = [
    () => stack.delete(rules, ADMINISTRATOR),
    () => stack.replace({ ...rules, rules: rules.rules.slice(1) }, ADMINISTRATOR),
    () => stack.replace({ ...rules, alias: "", rules: [] }, ADMINISTRATOR),
  ];
  for (const deed of deeds) {
    deed();
    await network.clock.advance(2000);
    assert.deepEqual(rulesOn(one), [rules]);
  }
  assert.equal(one.agent.repairs.count, deeds.length);
  assert.match(one.agent.repairs.last!.cause, /^packet filter changed by .*\b77\b/);
  assert.deepEqual(one.codes, []);
});

Deno.test("agent: a chain that begins to drop gets rules within 2 s, one that ceases loses them, and neither if unwanted", async () => {
  await using network = await TestNetwork.start();
  const hosts = [
    await network.joined(1),
    await network.joined(2, { noForwardRules: true }),
  ] as const;
  for (const { kernel } of hosts) kernel.stack.add(drops, ADMINISTRATOR);
  await network.clock.advance(2000);
  assert.deepEqual(hosts.map((one) => rulesOn(one).map(({ kind }) => kind)), [["forward-rules"], []]);
  assert.match(hosts[0].subnetEnv, /^FLANNEL_IPMASQ=false$/m);
  hosts[0].kernel.stack.delete(drops, ADMINISTRATOR);
  await network.clock.advance(2000);
  assert.deepEqual(rulesOn(hosts[0]), []);
  assert.equal(hosts[0].agent.repairs.count, 0, "no repair: another plan");
});

Deno.test("agent: another flan's table is left alone and told of, and a refusal keeps a host from joining", async () => {
  await using network = await TestNetwork.start();
  const one = network.host(1, { ipMasq: true });
  const theirs: Masquerade = {
    kind: "masquerade",
    family: 4,
    alias: "flan ffff",
    rules: [{ action: "accept" }],
  };
  one.kernel.stack.add(theirs, ADMINISTRATOR);
  await assert.rejects(one.join(), {
    message: /masquerade rules in table ip flan is not flan's|another flan/,
  });
  assert.deepEqual(rulesOn(one), [theirs]);
  one.kernel.stack.delete(theirs, ADMINISTRATOR);
  one.kernel.failNext("add", "EOPNOTSUPP", { kind: "masquerade", times: 3 });
  await assert.rejects(one.join(), { errno: "EOPNOTSUPP" });
});

Deno.test("agent: a host without a packet filter joins, but not to masquerade", async () => {
  await using network = await TestNetwork.start();
  const one = network.host(1, { ipMasq: true });
  one.kernel.lacks.add("firewall");
  await assert.rejects(one.join(), { code: "unsupported", hint: "apt-get install libnftables1" });
  assert.equal(await network.record("10.5.1.0/24"), undefined, "no lease was taken");
  const other = network.host(2);
  other.kernel.lacks.add("firewall");
  await other.join();
});
