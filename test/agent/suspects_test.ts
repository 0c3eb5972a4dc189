/** What is called the cause of a repair, and what only went along with it. */
import assert from "node:assert/strict";
import { Suspects } from "../../agent/suspects.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import type { Link, Route } from "../../kernel/state.ts";

/** As one look judges that began when all was heard. */
function seen(suspects: Suspects): Suspects {
  suspects.begin();
  suspects.looked();
  return suspects;
}

function causeOf(suspects: Suspects, gone?: string): string {
  return seen(suspects).take({ gone }).cause;
}

const link = (name: string, action: "new" | "delete" = "new"): KernelEvent => ({
  group: "link",
  action,
  own: false,
  port: 0,
  link: name,
});

Deno.test("suspects: another link's change made us look, and is not called the cause", () => {
  const suspects = new Suspects();
  suspects.note(link("eth0"), ["flan.1"]);
  assert.equal(causeOf(suspects), "found by looking, after link eth0 changed");
  suspects.note(link("eth0"), ["flan.1"]);
  suspects.note(link("flan.1", "delete"), ["flan.1"]);
  assert.equal(causeOf(suspects), "link flan.1 deleted");
  assert.equal(causeOf(suspects), "found by looking");
});

Deno.test("suspects: our link's deletion tells more than the underlay's change that goes with it", () => {
  const suspects = new Suspects();
  // As Linux announces `ip link delete flan.1`.
  suspects.note(link("eth0"), ["flan.1"]);
  suspects.note(link("flan.1"), ["flan.1"]);
  suspects.note(
    { ...link("flan.1", "delete"), group: "address", subject: "10.5.1.0/32" },
    ["flan.1"],
  );
  suspects.note(link("flan.1", "delete"), ["flan.1"]);
  suspects.note(link("eth0"), ["flan.1"]);
  assert.equal(causeOf(suspects), "link flan.1 deleted");
  assert.equal(causeOf(suspects), "found by looking");
});

Deno.test("suspects: whoever touched what is ours comes first, and three are named at most", () => {
  const suspects = new Suspects();
  suspects.note({ ...link("eth0"), group: "route", subject: "10.5.9.0/24", port: 4e9 }, ["flan.1"]);
  const ours = { ...link("flan.1", "delete"), group: "route", port: Deno.pid } as const;
  for (const n of [2, 3, 4, 5]) suspects.note({ ...ours, subject: `10.5.${n}.0/24` }, ["flan.1"]);
  const by = `by ${Deno.readTextFileSync("/proc/self/comm").trim()}[${Deno.pid}]`;
  assert.equal(
    causeOf(suspects),
    [2, 3, 4].map((n) => `route 10.5.${n}.0/24 dev flan.1 deleted ${by}`).join(", "),
  );
});

const proxy = (action: "new" | "delete"): KernelEvent => ({
  group: "proxy",
  action,
  own: false,
  port: 0,
  link: "flan0",
});

Deno.test("suspects: a proxy that stops is named, and not the carrier that its device loses with it", () => {
  const suspects = new Suspects();
  suspects.note(link("flan0"), ["flan0"]);
  suspects.note(proxy("delete"), ["flan0"]);
  suspects.note(link("flan0"), ["flan0"]);
  assert.equal(causeOf(suspects), "proxy of flan0 stopped");
  suspects.note(proxy("new"), ["flan0"]);
  assert.equal(causeOf(suspects), "proxy of flan0 changed");
});

Deno.test("suspects: a proxy that stops with its device is not called the cause", () => {
  const suspects = new Suspects();
  suspects.note(proxy("delete"), ["flan0"]);
  suspects.note(link("flan0", "delete"), ["flan0"]);
  suspects.note(proxy("delete"), ["flan0"]);
  assert.equal(causeOf(suspects), "link flan0 deleted");
});

Deno.test("suspects: whoever changed the device by name tells more than the proxy", () => {
  const suspects = new Suspects();
  suspects.note(proxy("delete"), ["flan0"]);
  suspects.note({ ...link("flan0"), group: "address", subject: "10.5.1.0/32", port: 4_000_000_000 }, [
    "flan0",
  ]);
  const by = "process 4000000000 (ended, name unknown)";
  assert.equal(causeOf(suspects), `address 10.5.1.0/32 dev flan0 changed by ${by}`);
});

Deno.test("suspects: a link that was gone tells more than what the kernel announced before", () => {
  const suspects = new Suspects();
  suspects.note(link("eth0"), ["flan.1"]);
  assert.equal(causeOf(suspects, "flan.1"), "link flan.1 was gone");
  suspects.note(link("flan.1"), ["flan.1"]);
  assert.equal(causeOf(suspects, "flan.1"), "link flan.1 was gone");
  suspects.note(link("flan.1", "delete"), ["flan.1"]);
  assert.equal(causeOf(suspects, "flan.1"), "link flan.1 deleted");
  assert.equal(causeOf(suspects, "flan.1"), "link flan.1 was gone");
});

Deno.test("suspects: an FDB entry is called so, and nobody is blamed for it", () => {
  const suspects = new Suspects();
  const entry: KernelEvent = {
    group: "neighbour",
    action: "delete",
    own: false,
    port: 0,
    link: "flan.1",
    mac: "02:00:00:00:00:02",
  };
  suspects.note(entry, ["flan.1"]);
  assert.deepEqual(seen(suspects).take(), {
    cause: "FDB entry 02:00:00:00:00:02 dev flan.1 deleted",
    by: "unknown",
  });
});

const by = (port: number) => `by process ${port} (ended, name unknown)`;
const [first, second] = [4_000_000_001, 4_000_000_002];

function routeEvent(port: number, subject = "10.5.2.0/24"): KernelEvent {
  return { group: "route", action: "delete", own: false, port, link: "flan.1", subject, protocol: 113 };
}

const route: Route = {
  kind: "route",
  destination: "10.5.2.0/24",
  metric: 0,
  type: "unicast",
  link: "flan.1",
  gateway: "10.5.2.0",
  onlink: true,
  nexthop: 0,
  protocol: 113,
};

Deno.test("suspects: what is heard while a look goes on counts for it, and for the next where it repaired something else", () => {
  const suspects = new Suspects();
  const told = `route 10.5.2.0/24 dev flan.1 deleted ${by(first)}`;
  suspects.begin();
  suspects.note(routeEvent(first), ["flan.1"]);
  suspects.looked();
  const other = { ...route, destination: "10.5.9.0/24" };
  assert.equal(suspects.take({ repaired: [other] }).cause, told);
  assert.equal(seen(suspects).take({ repaired: [route] }).cause, told, "the look was too early for it");
  assert.equal(causeOf(suspects), "found by looking");
  suspects.begin();
  suspects.note(routeEvent(first), ["flan.1"]);
  suspects.looked();
  assert.equal(suspects.take({ repaired: [route] }).cause, told);
  assert.equal(causeOf(suspects), "found by looking", "it is told");
});

Deno.test("suspects: what is heard after a look, of the repair itself for instance, is no cause of it", () => {
  const suspects = new Suspects();
  suspects.begin();
  suspects.note(routeEvent(first), ["flan.1"]);
  suspects.looked();
  suspects.note(link("flan.1"), ["flan.1"]);
  suspects.note(routeEvent(second, "10.5.3.0/24"), ["flan.1"]);
  const { cause } = suspects.take({ repaired: [route] });
  assert.equal(cause, `route 10.5.2.0/24 dev flan.1 deleted ${by(first)}`);
  assert.equal(causeOf(suspects), `route 10.5.3.0/24 dev flan.1 deleted ${by(second)}`);
  assert.equal(causeOf(suspects), "found by looking");
});

Deno.test("suspects: until the next look a link that is told to be as we made it is nobody's doing", () => {
  const made: Link = { kind: "link", name: "flan0", type: "tun", alias: "", mac: "", mtu: 1472, up: true };
  const told = (mtu: number, up = true) => ({ ...link("flan0"), mtu, up });
  const suspects = seen(new Suspects());
  suspects.note(told(1472), ["flan0"]);
  suspects.acted([made]);
  suspects.take();
  suspects.note(told(1472), ["flan0"]);
  assert.equal(causeOf(suspects), "found by looking");
  suspects.note(told(1472), ["flan0"]);
  assert.equal(causeOf(suspects), "link flan0 changed (now mtu 1472)", "all of ours was heard by that look");
  for (
    const [event, cause] of [
      [told(1400), "link flan0 changed (now mtu 1400)"],
      [told(1472, false), "link flan0 changed (now down)"],
      [link("flan0", "delete"), "link flan0 deleted"],
    ] as const
  ) {
    suspects.acted([made]);
    suspects.note(event, ["flan0"]);
    assert.equal(causeOf(suspects), cause);
  }
  suspects.note(told(1472), ["flan0"]);
  suspects.begin();
  suspects.looked();
  suspects.acted([made]);
  const { cause } = suspects.take();
  assert.equal(cause, "link flan0 changed (now mtu 1472)", "heard before that look");
});

Deno.test("suspects: a link's event is about all that is on the link", () => {
  const suspects = new Suspects();
  suspects.begin();
  suspects.note(link("flan.1", "delete"), ["flan.1"]);
  suspects.looked();
  suspects.take({ repaired: [route] });
  assert.equal(causeOf(suspects), "found by looking");
});

Deno.test("suspects: a flood is a few names, and those that come after a look are others", () => {
  const suspects = new Suspects();
  const flood = (port: number) => {
    for (let i = 0; i < 10_000; i++) suspects.note(routeEvent(port, `10.5.${i % 200}.0/24`), ["flan.1"]);
  };
  flood(first);
  suspects.begin();
  flood(first);
  suspects.looked();
  flood(second);
  assert.equal(suspects.take().cause.match(new RegExp(`process ${first}`, "g"))?.length, 3);
  assert.equal(causeOf(suspects).match(new RegExp(`process ${second}`, "g"))?.length, 3);
});

Deno.test("suspects: another MAC of our link is named, and is not taken for our own doing", () => {
  const suspects = new Suspects();
  const ours: Link = {
    ...{ kind: "link", name: "flan.1", type: "vxlan", alias: "flan" },
    ...{ mac: "02:00:00:00:00:01", mtu: 1450, up: true },
  };
  const told = (linkMac: string) => ({ ...link("flan.1"), mtu: 1450, up: true, linkMac });
  suspects.acted([ours]);
  suspects.note(told(ours.mac), ["flan.1"]);
  suspects.note(told("02:00:00:00:00:99"), ["flan.1"]);
  assert.equal(causeOf(suspects), "link flan.1 changed (now MAC 02:00:00:00:00:99)");
});
