import assert from "node:assert/strict";
import { checkLeases, garbageIn } from "../../lease/check.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { Refusal } from "../../lease/lease.ts";
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

function found(records: LeaseRecord[], past: PastLease[] = [], unreachable: Refusal[] = []): string[] {
  const snapshot = { revision: 9, config: undefined, records, past };
  const findings = checkLeases({ snapshot, network, node: "me", unreachable });
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
    ["a reservation under a dual-stack key", [
      record("10.6.1.0-24&fd00:6:1::-64", nobody, { expires: undefined }),
    ], [
      "warning outside-network 10.6.1.0/24",
    ]],
    ["a lease under a dual-stack key", [record("10.6.1.0-24&fd00:6:1::-64", "192.0.2.1")], [
      "high outside-network 10.6.1.0/24",
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

Deno.test("of a host's leases the newest is the one that it uses, whichever subnet comes first", () => {
  const leases = [["10.5.1.0-24", 3], ["10.5.2.0-24", 9], ["10.5.3.0-24", 5]] as const;
  for (const records of [leases, leases.toReversed()]) {
    const snapshot = {
      revision: 9,
      config: undefined,
      records: records.map(([key, revision]) => record(key, "192.0.2.1", { node: "a", revision })),
      past: [],
    };
    const [finding] = checkLeases({ snapshot, network, node: "me", unreachable: [] });
    assert.equal(finding!.hint, "flan lease revoke 10.5.1.0/24 --yes");
    assert.match(finding!.message, /the newest is 10\.5\.2\.0\/24$/);
  }
});

Deno.test("lease check tells of a lease that the backend cannot use on any host", () => {
  const refusal = { subnet: "10.5.1.0/24", code: "bad-backend-data", reason: "VtepMAC is missing" } as const;
  assert.deepEqual(found([record("10.5.1.0-24", "192.0.2.1")], [], [refusal]), [
    "high bad-backend-data 10.5.1.0/24",
  ]);
});

Deno.test("only what stays for ever and cannot be read is garbage: nothing that ends, no reservation, also in a wrong network", () => {
  const flannel = { node: undefined };
  const lasting = { node: undefined, expires: undefined };
  const kept = [
    record("10.5.1.0-24", "192.0.2.1", flannel),
    record("10.6.2.0-24", "192.0.2.5", flannel),
    record("10.5.5.0-24", 7, flannel),
    record("nonsense", "192.0.2.4", flannel),
    record("0.0.0.0-0", "192.0.2.6", flannel),
    record("10.5.6.0-31", "192.0.2.7", flannel),
    open("10.5.3.0-24"),
    open("10.6.1.0-24", "gone"),
    record("10.6.4.0-24", "192.0.2.8", { expires: undefined }),
    record("10.6.5.0-24", "192.0.2.9", lasting),
    record("10.5.4.0-24", 7, lasting),
  ];
  const garbage = [
    record("senseless", "192.0.2.4", lasting),
    record("10.6.3.0-24", 7, lasting),
  ];
  const snapshot = { revision: 9, config: undefined, records: [...kept, ...garbage], past: [] };
  const found = garbageIn({ snapshot, network });
  assert.deepEqual(found.map(({ key, code }) => [key, code]), [
    ["senseless", "bad-key"],
    ["10.6.3.0-24", "bad-value"],
  ]);
  const hints = checkLeases({ snapshot, network, node: "me", unreachable: [] });
  const hintOf = (subnet: string) => hints.find((one) => one.subnet === subnet)?.hint;
  assert.deepEqual(["senseless", "10.6.3.0/24", "nonsense", "10.6.1.0/24", "10.5.4.0/24"].map(hintOf), [
    "flan lease gc --yes",
    "flan lease gc --yes",
    "wait: it ends by itself",
    "flan lease unreserve 10.6.1.0/24",
    "flan lease revoke 10.5.4.0/24 --yes",
  ]);
});
