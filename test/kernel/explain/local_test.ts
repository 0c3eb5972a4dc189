/** The way of a packet to a container of this host. */
import assert from "node:assert/strict";
import { explainLocal } from "../../../kernel/explain/local.ts";
import type { KernelObject, Link } from "../../../kernel/state.ts";
import { found, near } from "../../lib/ways.ts";

const bridge: Link = {
  kind: "link",
  name: "cni0",
  type: "bridge",
  alias: "",
  mac: "",
  mtu: 1450,
  up: true,
};
const address: KernelObject = { kind: "address", link: "cni0", address: "10.5.1.1/24" };
const off: KernelObject = { kind: "sysctl", name: "net/ipv4/ip_forward", value: "0" };
const toBridge = found({ ...near, destination: "10.5.1.0/24", link: "cni0" });
const elsewhere = found({ ...near, destination: "10.5.1.7/32" });

/** Each step with its state. */
function seen(actual: readonly KernelObject[], lookup = toBridge): string[] {
  return explainLocal({ ip: "10.5.1.7", subnet: "10.5.1.0/24", device: "flan.1", lookup, actual })
    .map(({ what, state }) => `${what} ${state}`);
}

const there = [bridge, address];
const cases: readonly (readonly [name: string, seen: readonly string[], expected: readonly string[]])[] = [
  ["goes over its bridge", seen(there), ["link ok", "route ok", "neighbour skipped"]],
  ["cannot come from another host where nothing is forwarded", seen([...there, off]), [
    "forwarding skipped",
    "link ok",
    "route ok",
    "neighbour skipped",
  ]],
  ["cannot cross a bridge that is down", seen([{ ...bridge, up: false }, address]), [
    "link wrong",
    "route ok",
    "neighbour skipped",
  ]],
  ["has no bridge to go over yet", seen([bridge]), ["link missing"]],
  ["is led elsewhere by a route of another's", seen(there, elsewhere), ["link ok", "route foreign"]],
];

for (const [name, told, expected] of cases) {
  Deno.test(`explain: a packet to a container of this host ${name}`, () => assert.deepEqual(told, expected));
}
