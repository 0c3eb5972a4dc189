/** What a watch says of each event: what it was, who did it, and whether flan put something back. */
import assert from "node:assert/strict";
import { eventLine, RouteEvents } from "../../cmd/route_events.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
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

Deno.test("the same of what came while it was watched, and of nothing that flan has taken away itself", () => {
  const told = new RouteEvents(plan);
  const later: KernelEvent = { ...route, action: "new", port: AGENT, subject: "10.5.7.0/24" };
  lineOf(later, told);
  lineOf({ ...route, port: AGENT }, told);
  lineOf(device, told);
  assert.match(lineOf(later, told), /\(repaired\)$/);
  assert.doesNotMatch(lineOf({ ...route, action: "new", port: AGENT }, told), /repaired/);
});

Deno.test("an FDB entry that leads where flan has it lead again is repaired, whoever the kernel does not name", () => {
  const [made] = settingAll().filter(({ mac }) => mac !== undefined) as [KernelEvent];
  const entry = `fdb ${made.mac} dst 192.0.2.2 dev flan.1`;
  const told = new RouteEvents(plan);
  assert.equal(lineOf({ ...made, action: "delete" }, told), `deleted  ${entry}`);
  assert.equal(lineOf(made, told), `set      ${entry}  (repaired)`);
  lineOf({ ...made, to: "192.0.2.99" }, told);
  assert.equal(lineOf({ ...made, to: "192.0.2.98" }, told), `set      ${entry.replace(".2.2", ".2.98")}`);
  assert.equal(lineOf(made, told), `set      ${entry}  (repaired)`);
  lineOf({ ...made, action: "delete" }, told);
  assert.equal(told.take(made, undefined).repaired, false, "without an agent");
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
