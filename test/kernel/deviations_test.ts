/** What is said of each object that is not as planned. */
import assert from "node:assert/strict";
import { vxlan } from "../../backends/vxlan.ts";
import { toCommands } from "../../kernel/commands.ts";
import { deviations } from "../../kernel/deviations.ts";
import { drift } from "../../kernel/drift.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { changed, type Damage, without } from "../lib/ways.ts";
import { host, owner, view } from "../lib/overlay.ts";

const { objects } = vxlan.plan(view([2]), host());

function seen({ actual: damaged = (all) => all }: Damage) {
  const actual = damaged(objects);
  const { changes } = drift(objects, actual, { ...owner, links: ["flan.1"] });
  const told = deviations(changes, actual).map(({ is, object, differences }) =>
    `${is} ${object.kind}${differences && `: ${differences}`}`
  );
  return { told, commands: toCommands(changes, actual) };
}

const port = (all: readonly KernelObject[]) =>
  all.map((one): KernelObject =>
    one.kind === "link" ? { ...one, vxlan: { ...one.vxlan!, port: 4789, learning: true } } : one
  );

Deno.test("deviations: each is missing, wrong with what differs, or stray", () => {
  assert.deepEqual(seen({}).told, []);
  assert.deepEqual(seen(without("fdb")).told, ["missing fdb"]);
  assert.deepEqual(seen(changed("fdb", { remote: "192.0.2.9" })).told, [
    "wrong fdb: remote is 192.0.2.9, not 192.0.2.2",
  ]);
  const stray = objects.filter(({ kind }) => kind === "route")
    .map((one): KernelObject => one.kind === "route" ? { ...one, destination: "10.5.7.0/24" } : one);
  assert.deepEqual(seen({ actual: (all) => [...all, ...stray] }).told, ["stray route"]);
});

Deno.test("deviations: of a link that is made anew only the link is wrong, and what was broken before", () => {
  const link = "wrong link: vxlan.port is 4789, not 8472, vxlan.learning is true, not false";
  assert.deepEqual(seen({ actual: port }).told, [link]);
  assert.deepEqual(seen({ actual: (all) => port(all).filter(({ kind }) => kind !== "route") }).told, [
    link,
    "missing route",
  ]);
});

Deno.test("commands: of a link that is there only what is another is set", () => {
  assert.deepEqual(seen(changed("link", { mtu: 1300 })).commands, ["ip link set dev flan.1 mtu 1450"]);
  assert.deepEqual(seen(changed("link", { alias: "flan", up: false })).commands, [
    "ip link set dev flan.1 alias 'flan 3f2a'",
    "ip link set dev flan.1 up",
  ]);
  const { commands } = seen({ actual: port });
  assert.match(commands.join("\n"), /^ip link delete dev flan\.1\nip link add flan\.1 .*mtu 1450 type vxlan/);
});
