/** What a watch says of each event: what it was, who did it, and whether flan put something back. */
import assert from "node:assert/strict";
import { eventLine, RouteEvents } from "../../cmd/route_events.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import type { Link } from "../../kernel/state.ts";
import { hostStack } from "../lib/fake_kernel.ts";
import { host, view } from "../lib/overlay.ts";

const AGENT = 4_000_001;
const OTHER = 4_000_002;
const route: KernelEvent = {
  group: "route",
  action: "delete",
  own: false,
  port: OTHER,
  link: "flan.1",
  subject: "10.5.2.0/24",
  protocol: 113,
};
const lineOf = (event: KernelEvent, told = new RouteEvents()) =>
  eventLine(told.take(event, AGENT), 0).replace("1970-01-01T00:00:00.000Z  ", "");

Deno.test("a process that is gone is named by its number, and what it did by object", () => {
  assert.equal(
    lineOf(route),
    `deleted  route 10.5.2.0/24 dev flan.1  by process ${OTHER} (ended, name unknown)`,
  );
  assert.match(lineOf({ ...route, port: Deno.pid }), /by \S.*\[\d+\]$/);
  assert.equal(lineOf({ ...route, port: 0 }), "deleted  route 10.5.2.0/24 dev flan.1  by the kernel");
});

Deno.test("of links and FDB entries nobody knows who it was", () => {
  assert.equal(
    lineOf({ group: "link", action: "new", own: false, port: 0, link: "flan.1" }),
    "set      link flan.1",
  );
  const fdb: KernelEvent = {
    group: "neighbour",
    action: "delete",
    own: false,
    port: 0,
    link: "flan.1",
    mac: "02:00:00:00:00:02",
  };
  assert.equal(lineOf(fdb), "deleted  fdb 02:00:00:00:00:02 dev flan.1");
});

Deno.test("of the packet filter it is told who changed it, or nobody blamed where the kernel does not tell", () => {
  const filter: KernelEvent = { group: "firewall", action: "new", own: false, port: OTHER, program: "nft" };
  assert.equal(lineOf(filter), `set      packet filter  by nft[${OTHER}]`);
  const { program: _, ...untold } = filter;
  assert.equal(lineOf({ ...untold, port: 0 }), "set      packet filter");
  const told = new RouteEvents();
  assert.deepEqual(told.take({ ...untold, port: 0 }, undefined), {
    event: "set",
    kind: "firewall",
    object: "packet filter",
    differs: null,
    by: null,
    pid: null,
    repaired: false,
  });
  assert.equal(
    lineOf({ ...filter, port: AGENT }, told),
    `set      packet filter  by flan[${AGENT}] (repaired)`,
  );
});

Deno.test("flan repairs what somebody else touched, once, and nothing else", () => {
  const told = new RouteEvents();
  const mended: KernelEvent = { ...route, action: "new", port: AGENT };
  const flan = `set      route 10.5.2.0/24 dev flan.1  by flan[${AGENT}]`;
  assert.equal(lineOf(mended, told), flan);
  lineOf(route, told);
  assert.equal(lineOf({ ...mended, subject: "10.5.3.0/24" }, told), flan.replace(".2.0", ".3.0"));
  assert.equal(lineOf(mended, told), `${flan} (repaired)`);
  assert.equal(lineOf(mended, told), flan);
});

Deno.test("what flan deletes itself is no damage, and a question is none either", () => {
  const told = new RouteEvents();
  lineOf({ ...route, port: AGENT }, told);
  const asked = { ...route, group: "neighbour", action: "wanted", port: 0, subject: "10.5.2.7" } as const;
  assert.match(lineOf(asked, told), /^wanted {3}neighbour 10\.5\.2\.7 dev flan\.1/);
  assert.equal(told.take({ ...route, action: "new", port: AGENT }, AGENT).repaired, false);
  assert.equal(told.take({ ...asked, action: "new", port: AGENT }, AGENT).repaired, false);
});

Deno.test("lost events are told", () => {
  assert.match(lineOf({ group: "overrun", action: "new", own: false, port: 0 }), /^events were lost/);
});

/** What the agent has for one peer, and what the kernel says when it sets all of it, one after the other. */
const plan = vxlan.plan(view([2]), host()).objects;
const device: KernelEvent = { group: "link", action: "delete", own: false, port: 0, link: "flan.1" };

function settingAll(): KernelEvent[] {
  const stack = hostStack();
  const events: KernelEvent[] = [];
  const silent = stack.listen((event) => events.push({ ...event, own: false }));
  for (const object of plan) assert.equal(stack.add(object, AGENT), undefined);
  silent();
  // Of links and FDB entries the kernel does not tell who it was.
  return events.map((event) =>
    event.group === "link" || event.mac !== undefined ? { ...event, port: 0 } : event
  );
}

Deno.test("with a link that is deleted goes all that flan had on it, and its coming back is a repair", () => {
  const told = new RouteEvents(plan);
  lineOf(device, told);
  const marks = () =>
    settingAll().map((event) => told.take(event, AGENT)).map((one) => [one.kind, one.repaired]);
  const first = marks();
  assert.deepEqual(
    new Set(first.filter(([, repaired]) => repaired).map(([kind]) => kind)),
    new Set(["link", "address", "nexthop", "fdb", "neighbour", "route"]),
  );
  assert.ok(marks().every(([, repaired]) => !repaired), "once");
});

Deno.test("the same of what came while it was watched, and of nothing that is planned no more", () => {
  const told = new RouteEvents(plan);
  const [more] = vxlan.plan(view([7]), host()).objects.filter(({ kind }) => kind === "route");
  const back: KernelEvent = { ...route, action: "new", port: AGENT };
  lineOf(route, told);
  told.learn([...plan.filter(({ kind }) => kind !== "route"), more!]);
  lineOf(device, told);
  assert.equal(told.take({ ...back, subject: "10.5.7.0/24" }, AGENT).repaired, false, "came just now");
  assert.equal(told.take(back, AGENT).repaired, false, "went");
  told.learn([...plan.filter(({ kind }) => kind !== "route"), more!]);
  lineOf(device, told);
  assert.equal(told.take({ ...back, subject: "10.5.7.0/24" }, AGENT).repaired, true);
});

const [made] = settingAll().filter(({ mac }) => mac !== undefined) as [KernelEvent];
const entry = `fdb ${made.mac} dst 192.0.2.2 dev flan.1`;
const toB = { ...made, to: "192.0.2.99" };
/** The plan after the peer moved from A to B. */
const moved = plan.map((one) => one.kind === "fdb" ? { ...one, remote: toB.to } : one);

Deno.test("an FDB entry that leads where flan has it lead again is repaired, whoever the kernel does not name", () => {
  const told = new RouteEvents(plan);
  assert.equal(lineOf({ ...made, action: "delete" }, told), `deleted  ${entry}`);
  assert.equal(lineOf(made, told), `set      ${entry}  (repaired)`);
  lineOf(toB, told);
  assert.equal(lineOf({ ...made, to: "192.0.2.98" }, told), `set      ${entry.replace(".2.2", ".2.98")}`);
  assert.equal(lineOf(made, told), `set      ${entry}  (repaired)`);
  lineOf({ ...made, action: "delete" }, told);
  assert.equal(told.take(made, undefined).repaired, false, "without an agent");
});

Deno.test("a peer that moves is no repair; who sets its entry back is tampering, and flan's answer is the repair", () => {
  const told = new RouteEvents(plan);
  assert.ok(told.isNews(toB), "the plan that is known does not say so");
  told.learn(moved);
  assert.ok(!told.isNews(toB));
  assert.equal(told.take(toB, AGENT).repaired, false);
  assert.ok(told.isNews(made));
  told.learn(moved);
  assert.equal(told.take(made, AGENT).repaired, false, "tampering");
  assert.equal(told.take(toB, AGENT).repaired, true);
});

Deno.test("a peer that leaves and comes back is no repair", () => {
  const told = new RouteEvents(plan);
  const gone = { ...made, action: "delete" } as const;
  assert.ok(told.isNews(gone));
  told.learn(plan.filter(({ kind }) => kind !== "fdb"));
  assert.equal(told.take(gone, AGENT).repaired, false);
  assert.ok(told.isNews(made));
  told.learn(plan);
  assert.equal(told.take(made, AGENT).repaired, false);
});

Deno.test("where the plan cannot be known, nothing is called repaired", () => {
  const told = new RouteEvents(plan);
  told.doubt(toB);
  told.take(toB, AGENT);
  told.doubt(made);
  assert.equal(told.take(made, AGENT).repaired, false);
});

const found: KernelEvent = { ...device, action: "new", mtu: 1450, up: true };

Deno.test("of a link it is told what is not as planned, and its mending is a repair", () => {
  const told = new RouteEvents(plan);
  assert.equal(lineOf({ ...found, mtu: 1300 }, told), "set      link flan.1: mtu is 1300, not 1450");
  assert.equal(lineOf(found, told), "set      link flan.1  (repaired)");
  assert.equal(lineOf(found, told), "set      link flan.1", "once");
});

Deno.test("another MAC of a link is told with the planned one, and its mending is a repair", () => {
  const told = new RouteEvents(plan);
  const { mac } = plan.find(({ kind }) => kind === "link") as Link;
  const line = `set      link flan.1: mac is 02:00:00:00:00:99, not ${mac}`;
  assert.equal(lineOf({ ...found, linkMac: "02:00:00:00:00:99" }, told), line);
  assert.equal(lineOf({ ...found, linkMac: mac }, told), "set      link flan.1  (repaired)");
});

Deno.test("a route of somebody else's to a peer is told to be so, and whether flan's own is gone", () => {
  const told = new RouteEvents(plan);
  const foreign: KernelEvent = { ...route, action: "new", port: 0, link: "eth0", protocol: 3 };
  const line = "set      route 10.5.2.0/24 dev eth0: not flan's";
  assert.equal(lineOf(foreign, told), `${line}  by the kernel`);
  assert.equal(lineOf({ ...foreign, replaces: true }, told), `${line}, whose own is gone  by the kernel`);
  assert.equal(
    lineOf({ ...route, action: "new", port: AGENT }, told),
    `set      route 10.5.2.0/24 dev flan.1  by flan[${AGENT}] (repaired)`,
  );
});

Deno.test("a link that is down loses routes and nexthops without a word, and their coming back is a repair", () => {
  const told = new RouteEvents(plan);
  assert.match(lineOf({ ...found, up: false }, told), /^set {6}link flan\.1: /);
  const repaired = settingAll().filter((event) => told.take(event, AGENT).repaired).map(({ group }) => group);
  assert.deepEqual(repaired, ["link", "nexthop", "route"]);
});

Deno.test("a link that flan itself makes anew, because the plan is another one, is no repair", () => {
  const told = new RouteEvents(plan);
  told.learn(plan.map((one) => one.kind === "link" ? { ...one, mtu: 1400 } : one));
  for (const event of [device, { ...found, up: false, mtu: 1400 }]) {
    assert.equal(told.take(event, AGENT).repaired, false);
    told.learn(plan.map((one) => one.kind === "link" ? { ...one, mtu: 1400 } : one));
  }
  assert.equal(told.take({ ...found, mtu: 1400 }, AGENT).repaired, false);
  told.take(device, AGENT);
  assert.equal(told.take({ ...found, mtu: 1400 }, AGENT).repaired, true);
});

Deno.test("a nexthop that is deleted takes its route along, whose coming back is a repair", () => {
  const told = new RouteEvents(plan);
  const [set] = settingAll().filter(({ group }) => group === "nexthop") as [KernelEvent];
  lineOf({ ...set, action: "delete", port: OTHER }, told);
  const back = settingAll().filter(({ group }) => group === "nexthop" || group === "route");
  assert.deepEqual(back.map((event) => told.take(event, AGENT).repaired), [true, true]);
});

Deno.test("a nexthop is named by its number and its gateway", () => {
  const event: KernelEvent = { ...route, group: "nexthop", subject: "168100352", to: "10.5.2.0", port: 0 };
  assert.equal(lineOf(event), "deleted  nexthop 168100352 via 10.5.2.0 dev flan.1  by the kernel");
});
