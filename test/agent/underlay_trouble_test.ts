/** Whether the underlay leads anywhere: by the routes of the main table, or else by what a policy rule makes of it. */
import assert from "node:assert/strict";
import { underlayTrouble } from "../../agent/underlay_trouble.ts";
import type { PeerPlan } from "../../backends/backend.ts";
import { MAIN_TABLE, type RouteMatch, type RouteQuery } from "../../kernel/kernel.ts";
import type { KernelObject, Route } from "../../kernel/state.ts";
import { KernelError } from "../../net/errors.ts";
import { defaultRoute } from "../lib/agents.ts";
import { host, lease } from "../lib/overlay.ts";

const tunnel: KernelObject = {
  kind: "link",
  name: "flan.1",
  type: "vxlan",
  alias: "flan 0123",
  mac: "",
  mtu: 1450,
  up: true,
};
const peersTo = (last: number) =>
  Array.from({ length: last - 1 }, (_, i): PeerPlan => ({ lease: lease(i + 2), way: "vxlan", keys: [] }));
const peers = peersTo(7);

/** What is told, and what the kernel was asked, where it says that. */
async function told(
  answer: (remote: string, query: RouteQuery) => RouteMatch | undefined,
  objects: readonly KernelObject[] = [tunnel],
  to: readonly PeerPlan[] = peers,
): Promise<{ trouble: string | undefined; asked: string[] }> {
  const asked: string[] = [];
  const routeMatch = (remote: string, query: RouteQuery = {}) => {
    asked.push(`${remote} ${query.source ?? "-"}`);
    const match = answer(remote, query);
    if (match !== undefined) return Promise.resolve(match);
    return Promise.reject(
      new KernelError("Cannot look up the route", "ENETUNREACH", { op: "kernel.routeMatch" }),
    );
  };
  const { underlay } = host();
  return { trouble: await underlayTrouble({ routeMatch }, { objects, underlay, peers: to }), asked };
}

const missing = "No route leads to any peer over link eth0: 192.0.2.2, for one";
const by = (change: Partial<Route>, table = 100): RouteMatch => ({
  route: { ...defaultRoute, ...change },
  table,
});
const bySource = (match: RouteMatch) => (_: string, { source }: RouteQuery) =>
  source === "192.0.2.1" ? match : undefined;

const cases: readonly (readonly [string, Parameters<typeof told>[0], trouble: string | undefined])[] = [
  ["no rule", () => undefined, missing],
  ["a rule for this host's address", bySource(by({})), undefined],
  ["a rule for everybody", (_, { source }) => source === undefined ? by({}) : undefined, undefined],
  ["a rule for one of the peers", (remote) => remote === "192.0.2.4" ? by({}) : undefined, undefined],
  ["a rule that leads into the tunnel", bySource(by({ link: "flan.1" })), missing],
  ["a rule that leads to a route of flan's", bySource(by({ protocol: 113 })), missing],
  ["a rule that refuses", bySource(by({ type: "unreachable" })), missing],
  ["the main table, which was judged before", () => by({ link: "eth1" }, MAIN_TABLE), missing],
];

for (const [name, answer, trouble] of cases) {
  Deno.test(`underlay: by ${name} it is ${trouble === undefined ? "well" : "missing"}`, async () => {
    assert.equal((await told(answer)).trouble, trouble);
  });
}

Deno.test("underlay: the kernel is asked only where its main table leads to nobody, and of few peers", async () => {
  assert.deepEqual((await told(() => undefined, [tunnel, defaultRoute])).asked, []);
  const { asked } = await told(() => undefined);
  assert.equal(asked.length, 12);
  assert.deepEqual(asked.slice(0, 2), ["192.0.2.2 192.0.2.1", "192.0.2.2 -"]);
});

Deno.test("underlay: of many peers those are asked for that stand all over the list, and no more is said of them", async () => {
  const many = peersTo(51);
  const reached = (remote: string) => Number(remote.split(".")[3]) > 5 ? by({}) : undefined;
  assert.equal((await told(reached, [tunnel], many)).trouble, undefined);
  const { asked, trouble } = await told(() => undefined, [tunnel], many);
  assert.equal(asked.length, 32);
  assert.equal(asked.at(-1), "192.0.2.48 -");
  assert.equal(
    trouble,
    "No route leads to any of 16 peers that were asked for over link eth0: 192.0.2.2, for one",
  );
});
