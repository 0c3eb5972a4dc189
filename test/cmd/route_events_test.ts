/** What a watch says of each event: what it was, who did it, and whether flan put something back. */
import assert from "node:assert/strict";
import { eventLine, RouteEvents } from "../../cmd/route_events.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";

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
  assert.equal(lineOf(route), `deleted  route 10.5.2.0/24 dev flan.1  by process ${OTHER}`);
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
