/** Whether the routes of a dump lead a packet on. */
import assert from "node:assert/strict";
import type { KernelObject, Route } from "../../kernel/state.ts";
import { wayOutTest } from "../../kernel/ways_out.ts";
import { defaultRoute } from "../lib/agents.ts";

const to = (destination: string, change: Partial<Route> = {}): Route => ({
  ...defaultRoute,
  destination,
  ...change,
});
const refuses = { type: "unreachable", link: "", gateway: "" } as const;
const tunnel: KernelObject = {
  kind: "link",
  name: "flan.1",
  type: "vxlan",
  alias: "flan 0123",
  mac: "",
  mtu: 1450,
  up: true,
};

const cases: readonly [string, readonly KernelObject[], boolean][] = [
  ["no route at all", [], false],
  ["the default route", [to("0.0.0.0/0")], true],
  ["the default route and a prefix for others", [to("0.0.0.0/0"), to("198.51.100.0/24", refuses)], true],
  ["a longer prefix that refuses", [to("0.0.0.0/0"), to("192.0.2.2/32", refuses)], false],
  ["a longer prefix that leads on", [to("192.0.2.0/24", refuses), to("192.0.2.2/32")], true],
  ["a better metric that refuses", [to("0.0.0.0/0", { metric: 9 }), to("0.0.0.0/0", refuses)], false],
  ["a worse metric that refuses", [to("0.0.0.0/0"), to("0.0.0.0/0", { ...refuses, metric: 9 })], true],
  ["several next hops, of which no link is told", [to("0.0.0.0/0", { link: "", gateway: "" })], true],
  ["IPv6 only", [to("::/0", { gateway: "fd00::1" })], false],
  ["a route of flan's", [to("192.0.2.0/24", { protocol: 113 })], false],
  ["somebody's route into the tunnel", [tunnel, to("192.0.2.0/24", { link: "flan.1" })], false],
];

for (const [name, objects, expected] of cases) {
  Deno.test(`ways out: ${name} ${expected ? "leads" : "does not lead"} to an address`, () => {
    assert.equal(wayOutTest(objects)("192.0.2.2"), expected);
  });
}

Deno.test("ways out: of IPv6 the routes of IPv6 decide, alike", () => {
  const leads = (...objects: readonly KernelObject[]) => wayOutTest(objects)("2001:db8::2");
  const six = to("::/0", { metric: 1024, gateway: "fd00::1" });
  assert.deepEqual([leads(six), leads(to("0.0.0.0/0")), leads()], [true, false, false]);
  assert.equal(leads(six, to("2001:db8::/64", { ...refuses, metric: 1024 })), false);
});
