import assert from "node:assert/strict";
import { checkLeases, garbageIn } from "../../lease/check.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { LeaseRecord, PastLease } from "../../lease/store.ts";
import type { Json } from "../../net/json.ts";
import { isPrintable } from "../../net/text.ts";

const network = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
const value = (ip: string): Json => ({ PublicIP: ip, PublicIPv6: null, BackendType: "vxlan" });
const nobody: Json = { PublicIP: "0.0.0.0", PublicIPv6: null };

function record(key: string, ip: string | Json, more: Partial<LeaseRecord> = {}): LeaseRecord {
  const said = typeof ip === "string" ? value(ip) : ip;
  return { key, value: said, node: `node at ${key}`, expires: 1e12, revision: 3, ...more };
}

const open = (key: string, node?: string): LeaseRecord => record(key, nobody, { node, expires: undefined });

function found(records: LeaseRecord[], past: PastLease[] = []): string[] {
  const snapshot = { revision: 9, config: undefined, records, past };
  const findings = checkLeases({ snapshot, network, node: "me" });
  for (const { message, hint, subnet } of findings) {
    assert.ok(/^[A-Z]/.test(message) && !message.endsWith(".") && message.length < 400, message);
    assert.ok([message, hint, subnet].every(isPrintable) && hint !== "", hint);
  }
  return findings.map(({ code, severity, subnet }) => `${severity} ${code} ${subnet}`);
}

Deno.test("a network in which all is well has no findings", () => {
  const reserved = [open("10.5.8.0-24"), open("10.5.9.0-24", "me")];
  assert.deepEqual(
    found([record("10.5.1.0-24", "192.0.2.1"), record("10.5.2.0-24", "192.0.2.2"), ...reserved]),
    [],
  );
  assert.deepEqual(found([]), []);
});

for (
  const [name, records, expected] of [
    ["two leases that overlap", [record("10.5.1.0-24", "192.0.2.1"), record("10.5.1.128-25", "192.0.2.2")], [
      "high overlap 10.5.1.128/25",
    ]],
    ["one address on two hosts", [record("10.5.1.0-24", "192.0.2.1"), record("10.5.2.0-24", "192.0.2.1")], [
      "high address-twice 10.5.1.0/24",
    ]],
    ["one address on a flan and a flannel host", [
      record("10.5.1.0-24", "192.0.2.1"),
      record("10.5.2.0-24", "192.0.2.1", { node: undefined }),
    ], ["high address-twice 10.5.1.0/24"]],
    ["one node with two leases", [
      record("10.5.1.0-24", "192.0.2.1", { node: "a" }),
      record("10.5.2.0-24", "192.0.2.9", { node: "a" }),
    ], ["warning second-lease 10.5.2.0/24"]],
    ["a flannel host with two leases", [
      record("10.5.1.0-24", "192.0.2.1", { node: undefined }),
      record("10.5.2.0-24", "192.0.2.1", { node: undefined }),
    ], ["warning second-lease 10.5.2.0/24"]],
    ["outside the network", [record("10.6.1.0-24", "192.0.2.1")], ["high outside-network 10.6.1.0/24"]],
    ["covering the network", [record("10.0.0.0-8", "192.0.2.1")], ["high covers-network 10.0.0.0/8"]],
    ["of another length", [record("10.5.1.0-25", "192.0.2.1")], ["warning odd-length 10.5.1.0/25"]],
    ["before the first subnet", [record("10.5.0.0-24", "192.0.2.1")], ["warning odd-length 10.5.0.0/24"]],
    ["a value that is none", [record("10.5.1.0-24", "\u001b[2J", { value: "\u001b[2J" })], [
      "high bad-value 10.5.1.0/24",
    ]],
    ["a refused reservation", [record("10.6.1.0-24", nobody, { expires: undefined })], [
      "warning outside-network 10.6.1.0/24",
    ]],
    ["a reservation of another length", [open("10.5.1.0-25")], ["warning unclaimable 10.5.1.0/25"]],
    ["a reservation over a lease", [open("10.5.2.0-24"), record("10.5.2.128-25", "192.0.2.1")], [
      "warning odd-length 10.5.2.128/25",
      "warning unclaimable 10.5.2.0/24",
    ]],
    ["two reservations for one node", [open("10.5.2.0-24", "a"), open("10.5.3.0-24", "a")], [
      "warning unclaimable 10.5.3.0/24",
    ]],
    ["a reservation for an address inside the network", [
      record("10.5.2.0-24", { PublicIP: "10.5.3.1" }, { node: undefined, expires: undefined }),
    ], ["warning unclaimable 10.5.2.0/24"]],
  ] as [string, LeaseRecord[], string[]][]
) {
  Deno.test(`lease check finds it: ${name}`, () => assert.deepEqual(found(records), expected));
}

Deno.test("severe findings come first, and the own lease that ended is told only where there is no other", () => {
  const past: PastLease[] = [{ key: "10.5.7.0-24", how: "expired", ended: 5, node: "me" }];
  assert.deepEqual(found([record("10.5.1.0-25", "192.0.2.1"), record("10.6.1.0-24", "192.0.2.2")], past), [
    "high outside-network 10.6.1.0/24",
    "warning odd-length 10.5.1.0/25",
    "warning expired-own 10.5.7.0/24",
  ]);
  assert.deepEqual(found([record("10.5.8.0-24", "192.0.2.1", { node: "me" })], past), []);
  assert.deepEqual(found([], [{ ...past[0]!, how: "released" }]), []);
});

Deno.test("only what no host can use for ever is garbage: no valid lease, no reserved subnet, nothing of a living node", () => {
  const dead = { node: undefined };
  const kept = [
    record("10.5.1.0-24", "192.0.2.1"),
    record("10.5.1.128-25", "192.0.2.2", dead),
    record("10.5.2.0-24", "127.0.0.1", dead),
    open("10.5.3.0-24"),
    record("10.5.4.0-24", 7, { ...dead, expires: undefined }),
    record("10.6.0.0-24", "192.0.2.3"),
    record("10.6.1.0-24", nobody, { node: "node at 10.5.1.0-24", expires: undefined }),
  ];
  const garbage = [
    record("nonsense", "192.0.2.4", dead),
    record("10.5.5.0-24", 7, dead),
    record("10.6.2.0-24", "192.0.2.5", dead),
    record("10.6.3.0-24", nobody, { node: "gone", expires: undefined }),
    record("0.0.0.0-0", "192.0.2.6", dead),
    record("10.5.6.0-31", "192.0.2.7", dead),
  ];
  const snapshot = { revision: 9, config: undefined, records: [...kept, ...garbage], past: [] };
  const found = garbageIn({ snapshot, network });
  assert.deepEqual(found.map(({ key, code }) => [key, code]), [
    ["nonsense", "bad-key"],
    ["10.5.5.0-24", "bad-value"],
    ["10.6.2.0-24", "outside-network"],
    ["10.6.3.0-24", "outside-network"],
    ["0.0.0.0-0", "covers-network"],
    ["10.5.6.0-31", "bad-length"],
  ]);
});
