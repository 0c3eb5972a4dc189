/** The agent and what others do to the kernel: repaired, told once, and at a bounded price. */
import assert from "node:assert/strict";
import { describe, type KernelObject, type Link, type Neighbour, type Route } from "../../kernel/state.ts";
import { defaultRoute, type TestHost, TestNetwork, vxlanNetwork } from "../lib/agents.ts";

const kinds = ["link", "address", "nexthop", "fdb", "neighbour", "route"] as const;

function planned(host: TestHost, kind: KernelObject["kind"]): KernelObject {
  return host.agent.state.plan.objects.find((object) => object.kind === kind)!;
}

/** What the agent was woken by when it last changed something. */
function lastWoken({ log }: TestHost): string {
  return String(log.lines.findLast(({ message }) => message === "Applied changes")?.fields["woken"]);
}

Deno.test("own changes wake nobody", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const { dump, apply } = { ...host.kernel.calls };
  await network.peer(2);
  await network.clock.advance(2000);
  assert.deepEqual([host.kernel.calls.dump - dump, host.kernel.calls.apply - apply], [0, 1]);
});

for (const kind of kinds) {
  Deno.test(`a ${kind} that somebody deletes is put back, and that is said once with who did it`, async () => {
    await using network = await TestNetwork.start();
    await network.peer(2);
    const host = await network.joined(1);
    const before = host.keys();
    const object = planned(host, kind);
    // A port that is no process id: the process has gone.
    host.kernel.stack.delete(object, kind === "link" ? 0 : 4_000_000_000);
    await network.clock.advance(1000);
    assert.deepEqual(host.keys(), before);
    const [line, ...others] = host.log.lines.filter(({ fields }) => fields["code"] === "repaired");
    assert.ok(line !== undefined && others.length === 0, host.log.messages.join("\n"));
    assert.match(line.message, /^Repaired /);
    if (kind !== "link" && kind !== "nexthop") {
      assert.ok(line.message.includes(describe(object)), line.message);
    }
    const by = kind === "link"
      ? "link flan.1 deleted"
      : "deleted by process 4000000000 (ended, name unknown)";
    assert.ok(String(line.fields["cause"]).includes(by), String(line.fields["cause"]));
    assert.equal(host.agent.repairs.last?.cause, line.fields["cause"]);
    assert.ok(host.agent.repairs.count >= 1);
    assert.match(lastWoken(host), /^(kernel|host|kernel-host|host-kernel)$/, "and not by the clock");
    await network.clock.advance(60_000);
    assert.equal(host.lines("repaired").length, 1);
    assert.deepEqual(host.codes, []);
  });
}

Deno.test("what goes missing without an event is found by looking", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  host.kernel.stack.objects.delete(`route ${peer.subnet} metric 0`);
  await network.clock.advance(31_000);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
  assert.equal(host.agent.repairs.last?.cause, "found by looking");
  assert.equal(lastWoken(host), "host-clock");
});

Deno.test("events that do not concern the network cost nothing", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const { stack } = host.kernel;
  const calls = host.kernel.callCount;
  const other: Link = { ...stack.link("eth0")!, name: "docker0", type: "bridge" };
  const neighbour: Neighbour = {
    kind: "neighbour",
    link: "eth0",
    ip: "192.0.2.9",
    mac: "02:00:00:00:00:09",
    state: "reachable",
    protocol: 0,
  };
  const route: Route = { ...defaultRoute, destination: "172.16.0.0/12", link: "docker0", gateway: "" };
  for (const object of [other, neighbour, route]) stack.add(object, 77);
  for (const object of [route, neighbour, other]) stack.delete(object, 77);
  await network.clock.advance(1000);
  assert.equal(host.kernel.callCount, calls);
});

Deno.test("lost events are a reason to look at everything", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  host.kernel.stack.objects.delete(`route ${peer.subnet} metric 0`);
  host.kernel.stack.overrun();
  await network.clock.advance(1000);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
  assert.equal(host.agent.repairs.last?.cause, "events were lost");
});

Deno.test("somebody who flushes ten times a second busies the agent for a tenth of the time at most", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const { kernel } = host;
  const { dump } = kernel;
  let busy = 0;
  kernel.dump = async (request) => {
    await host.clock.sleep(80);
    busy += 80;
    return await dump.call(kernel, request);
  };
  for (let i = 0; i < 600; i++) {
    for (const object of host.agent.state.plan.objects) {
      if (object.kind === "route") kernel.stack.delete(object, 77);
    }
    await network.clock.advance(100);
  }
  assert.ok(busy <= 60_000 * 0.12 && busy >= 60_000 * 0.02, `busy for ${busy} ms of a minute`);
  await network.clock.advance(5000);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
});

Deno.test("somebody who deletes in a loop fills no log, and the repairs are counted all the same", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  const count = 120;
  for (let i = 0; i < count; i++) {
    host.kernel.stack.delete(planned(host, "route"), 4_000_000_000 + i);
    await network.clock.advance(500);
  }
  assert.ok(host.lines("repaired").length <= 10, `${host.lines("repaired").length} lines in a minute`);
  assert.equal(host.agent.repairs.count, count);
  host.kernel.stack.delete(planned(host, "fdb"), 7);
  await network.clock.advance(500);
  assert.match(host.lines("repaired").at(-1)!, /^Repaired FDB entry/, "another kind has its own lines");
  await network.clock.advance(61_000);
  const left = host.lines("repaired").reduce(
    (sum, line) => sum + Number(/; (\d+) lines like/.exec(line)?.[1] ?? 0),
    0,
  );
  assert.equal(host.lines("repaired").length + left, count + 1, "every line is told or counted");
});

Deno.test("a kernel that refuses a peer's route is a health code until it is made, said once at each end", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.kernel.failNext("add", "ENOBUFS", { kind: "route", times: 12 });
  const peer = await network.peer(2);
  assert.deepEqual(host.codes, ["kernel-refuses"]);
  // Other things happen while the route waits for its next attempt.
  await network.peer(3);
  await network.peer(4);
  await network.clock.advance(3000);
  await network.remove("10.5.4.0/24");
  await network.clock.turn();
  for (let i = 0; i < 120 && host.codes.length > 0; i++) await network.clock.advance(5000);
  assert.ok(host.keys("route").includes(`route ${peer.subnet} metric 0`));
  assert.deepEqual(host.codes, []);
  const subject = host.log.lines.filter(({ fields }) =>
    fields["code"] === "kernel-refuses" && String(fields["subject"]).includes(peer.subnet)
  );
  assert.deepEqual(subject.map(({ message }) => message.startsWith("Well again")), [false, true]);
  assert.deepEqual(host.lines("repaired"), [], "making it late is no repair");
});

Deno.test("a kernel that does not answer at all is a health code until it does", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.kernel.failNext("apply", "ENOBUFS", { times: 4 });
  const peer = await network.peer(2);
  assert.deepEqual(host.codes, ["kernel-refuses"]);
  assert.equal(host.agent.health.list()[0]?.subject, "kernel");
  await network.peer(3);
  assert.deepEqual(host.codes, ["kernel-refuses"], "waiting is not well");
  await network.clock.advance(5 * 60_000);
  assert.deepEqual(host.codes, []);
  assert.ok(host.keys("route").includes(`route ${peer.subnet} metric 0`));
  assert.equal(host.lines("kernel-refuses").length, 2);
});

Deno.test("a conflict that was seen is not forgotten because the kernel cannot be read for a while", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = network.host(1);
  host.kernel.stack.add({ ...defaultRoute, destination: peer.subnet });
  await host.join();
  await host.run();
  assert.deepEqual(host.codes, ["foreign-route"]);
  host.kernel.failNext("dump", "ENOBUFS", { times: 1000 });
  await network.clock.advance(60_000);
  assert.ok(host.codes.includes("foreign-route") && host.codes.includes("kernel-refuses"), host.codes.join());
  host.kernel.heal();
  await network.clock.advance(120_000);
  assert.deepEqual(host.codes, ["foreign-route"]);
  assert.equal(host.lines("foreign-route").length, 1);
});

Deno.test("a route of another's that wins over a peer's is a health code, told once, until it is gone", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const { stack } = host.kernel;
  const longer: Route = { ...defaultRoute, destination: "10.5.2.128/25" };
  const own: Route = { ...longer, destination: host.subnet!.replace(".0/24", ".0/25") };
  for (const route of [longer, own]) stack.add(route, 77);
  await network.clock.advance(1000);
  assert.deepEqual(host.codes, [], "nobody's packets are concerned");
  const peer = await network.peer(2, { wish: "10.5.2.0/24" });
  assert.deepEqual(host.agent.health.list().map(({ code, subject, message }) => [code, subject, message]), [[
    "foreign-route",
    describe(planned(host, "route")),
    `${describe(longer)} is not flan's and wins over ${describe(planned(host, "route"))}`,
  ]]);
  await network.clock.advance(60_000);
  assert.deepEqual(host.keys("route").filter((key) => key.includes(peer.subnet)).length, 1);
  stack.delete(longer, 77);
  await network.clock.advance(1000);
  assert.deepEqual([host.codes, host.lines("foreign-route").length], [[], 2]);
  stack.add(longer, 77);
  await network.clock.advance(1000);
  assert.deepEqual(host.codes, ["foreign-route"], "within the 2 s of its code");
});

for (const way of ["deleted", "set down"] as const) {
  Deno.test(`a route of another's that goes unannounced when its link is ${way} is in the way no longer`, async () => {
    await using network = await TestNetwork.start();
    const host = await network.joined(1);
    const { stack } = host.kernel;
    const dummy: Link = { ...stack.link("eth0")!, name: "dummy0", type: "dummy" };
    const longer: Route = { ...defaultRoute, destination: "10.5.2.128/25", link: "dummy0", gateway: "" };
    stack.add(dummy, 77);
    stack.add(longer, 77);
    await network.peer(2, { wish: "10.5.2.0/24" });
    await network.clock.advance(1000);
    assert.deepEqual(host.codes, ["foreign-route"]);
    if (way === "deleted") stack.delete(dummy);
    else stack.replace({ ...dummy, up: false });
    await network.clock.advance(1000);
    assert.deepEqual(host.codes, [], "within the 2 s of its code");
  });
}

const onDemand = { ...vxlanNetwork, Backend: { Type: "vxlan", Mode: "on-demand" } };

Deno.test("on demand: an address that the kernel asks for is answered without a look, and forgotten with it", async () => {
  await using network = await TestNetwork.start(onDemand);
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const { dump } = { ...host.kernel.calls };
  const ip = peer.subnet.replace("0/24", "9");
  host.kernel.stack.ask("flan.1", ip);
  await network.clock.turn();
  const key = `neighbour ${ip} dev flan.1`;
  const answered = host.kernel.stack.objects.get(key) as Neighbour;
  assert.equal(answered.mac, "0e:00:00:00:00:02");
  assert.deepEqual(host.keys("fdb"), ["fdb 0e:00:00:00:00:02 dev flan.1"]);
  host.kernel.stack.delete(answered);
  await network.clock.turn();
  assert.deepEqual([host.keys("neighbour"), host.keys("fdb")], [[], []]);
  assert.equal(host.kernel.calls.dump, dump);
  assert.deepEqual(host.lines("repaired"), []);
});

Deno.test("on demand: an address of nobody is left unanswered", async () => {
  await using network = await TestNetwork.start(onDemand);
  const host = await network.joined(1);
  host.kernel.stack.ask("flan.1", "10.5.200.9");
  await network.clock.turn();
  const entry = host.kernel.stack.objects.get("neighbour 10.5.200.9 dev flan.1") as Neighbour;
  assert.equal(entry.mac, "");
});

Deno.test("a peer whose subnet holds an address of this host is one as soon as the address is gone", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const bridge: KernelObject = { kind: "address", link: "eth1", address: "10.5.2.1/32" };
  host.kernel.stack.add({ ...host.kernel.stack.link("eth0")!, name: "eth1" });
  host.kernel.stack.add(bridge);
  await network.clock.advance(31_000);
  const peer = await network.peer(2, { wish: "10.5.2.0/24" });
  await network.clock.advance(1000);
  assert.deepEqual([host.codes, host.keys("route")], [["lease-refused"], []]);
  host.kernel.stack.delete(bridge);
  await network.clock.advance(2000);
  assert.deepEqual([host.codes, host.keys("route")], [[], [`route ${peer.subnet} metric 0`]]);
});

Deno.test("a lost subnet's new holder is refused at once where a bridge of this host still has its address", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.kernel.stack.add({ ...host.kernel.stack.link("eth0")!, name: "cni0" });
  const gateway = host.subnet!.replace(".0/24", ".1/32");
  host.kernel.stack.add({ kind: "address", link: "cni0", address: gateway });
  host.store.away = true;
  await network.remove(host.subnet!);
  await network.peer(2, { wish: host.subnet! });
  host.store.away = false;
  await network.clock.advance(20_000);
  assert.deepEqual(host.codes, ["lease-lost", "lease-refused"]);
});
