/** What each event of the kernel means. */
import assert from "node:assert/strict";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { type Meaning, noteEvent } from "../../kernel/note.ts";
import { type KernelObject, keyOf, type Neighbour } from "../../kernel/state.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { macOf, planned, view } from "../lib/overlay.ts";
import { ipv6Host, ipv6View, subnet6 } from "../lib/stacks.ts";

const entry: Neighbour = {
  kind: "neighbour",
  link: "flan.1",
  ip: "10.5.2.7",
  mac: macOf(2),
  state: "reachable",
  protocol: 113,
};
const six = vxlan.plan(ipv6View(view([2])), ipv6Host()).objects;
const objects: KernelObject[] = [...planned([2]), ...six, entry];

function note(event: Partial<KernelEvent>): { meaning: Meaning; entry: KernelObject | undefined } {
  const believed = new Map(objects.map((object) => [keyOf(object), object]));
  const whole: KernelEvent = { group: "neighbour", action: "new", own: false, port: 77, ...event };
  const meaning = noteEvent(whole, { believed, links: ["flan.1"] });
  return { meaning, entry: believed.get(`neighbour ${event.subject ?? entry.ip} dev flan.1`) };
}

const cases: readonly [string, Partial<KernelEvent>, Meaning][] = [
  ["lost events", { group: "overrun" }, "resync"],
  ["another's link change", { group: "link", link: "eth0" }, "resync"],
  ["the kernel's own link change", { group: "link", port: 0, link: "eth0" }, "resync"],
  ["our own link change", { group: "link", own: true }, "nothing"],
  ["another's address change", { group: "address", action: "delete" }, "resync"],
  ["our own address change", { group: "address", own: true }, "nothing"],
  ["a proxy that stopped or carries nothing", { group: "proxy", port: 0, link: "flan0" }, "resync"],
  ["a proxy that we told", { group: "proxy", own: true, link: "flan0" }, "nothing"],
  ["a nexthop with our mark", { group: "nexthop", protocol: 113 }, "resync"],
  ["a nexthop of nobody in particular", { group: "nexthop" }, "resync"],
  ["another's nexthop", { group: "nexthop", protocol: 3 }, "nothing"],
  ["a route with our mark", { group: "route", protocol: 113, subject: "10.9.0.0/24" }, "resync"],
  [
    "another's route elsewhere",
    { group: "route", protocol: 4, subject: "10.9.0.0/24", link: "eth0" },
    "nothing",
  ],
  ["another's route in our place", { group: "route", protocol: 4, subject: "10.5.2.0/24" }, "resync"],
  ["another's IPv6 route elsewhere", { group: "route", protocol: 4, subject: "fd00:9::/64" }, "nothing"],
  ["another's IPv6 route in our place", { group: "route", protocol: 4, subject: subnet6(2) }, "resync"],
  [
    "another's route on our link",
    { group: "route", protocol: 4, subject: "10.9.0.0/24", link: "flan.1" },
    "resync",
  ],
  ["our own route", { group: "route", own: true, protocol: 113 }, "nothing"],
  ["a neighbour on another link", { link: "eth0", subject: "192.0.2.9" }, "nothing"],
  ["a neighbour of no known link", { subject: "192.0.2.9" }, "nothing"],
  ["our own neighbour", { own: true, link: "flan.1", subject: entry.ip }, "nothing"],
  ["another's neighbour on our link", { link: "flan.1", subject: entry.ip, state: "permanent" }, "resync"],
  ["an FDB change by another", { link: "flan.1" }, "resync"],
  ["an FDB change of our own", { link: "flan.1", own: true }, "nothing"],
  ["an unknown entry that became reachable", {
    link: "flan.1",
    port: 0,
    subject: "10.5.2.9",
    state: "reachable",
  }, "resync"],
];

for (const [what, event, meaning] of cases) {
  Deno.test(`note: ${what}: ${meaning}`, () => assert.equal(note(event).meaning, meaning));
}

for (const state of ["stale", "delay"] as const) {
  Deno.test(`note: an entry that ages to ${state} is amended and no reason to act`, () => {
    const noted = note({ link: "flan.1", port: 0, subject: entry.ip, state });
    assert.deepEqual(noted, { meaning: "nothing", entry: { ...entry, state } });
  });
}

Deno.test("note: an entry that the kernel gave up is amended and looked at", () => {
  const noted = note({ link: "flan.1", port: 0, subject: entry.ip, state: "failed" });
  assert.deepEqual(noted, { meaning: "look", entry: { ...entry, state: "failed" } });
  const unknown = note({ link: "flan.1", port: 0, subject: "10.5.2.9", state: "incomplete" });
  assert.equal(unknown.meaning, "look");
  assert.deepEqual(unknown.entry, { ...entry, ip: "10.5.2.9", mac: "", state: "incomplete", protocol: 0 });
});

Deno.test("note: an entry that was removed is forgotten and looked at, one nobody knew is not", () => {
  const noted = note({ link: "flan.1", action: "delete", subject: entry.ip });
  assert.deepEqual(noted, { meaning: "look", entry: undefined });
  assert.equal(note({ link: "flan.1", action: "delete", subject: "10.5.2.9" }).meaning, "nothing");
});

Deno.test("note: what the kernel asks for is unresolved, known or not, and a MAC is kept while it is probed", () => {
  const asked = note({ link: "flan.1", action: "wanted", port: 0, subject: "10.5.2.9" });
  assert.equal(asked.meaning, "look");
  assert.deepEqual(asked.entry, { ...entry, ip: "10.5.2.9", mac: "", state: "incomplete", protocol: 0 });
  const probed = note({ link: "flan.1", action: "wanted", port: 0, subject: entry.ip, state: "probe" });
  assert.deepEqual(probed, { meaning: "look", entry: { ...entry, state: "probe" } });
});
