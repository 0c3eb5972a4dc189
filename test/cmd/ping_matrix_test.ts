/** The matrix of `flan ping --all`: what a cell says, and when there are too many columns for it. */
import assert from "node:assert/strict";
import { cellOf, matrix, type Measured, notes } from "../../cmd/ping_matrix.ts";

type Pair = Measured["items"][number];

const subnet = (n: number) => `10.244.${n}.0/24`;

function pair(from: number, to: number, change: Partial<Pair> = {}): Pair {
  return {
    from: subnet(from),
    to: subnet(to),
    family: "ipv4",
    state: "ok",
    sent: 5,
    received: 5,
    arrived: 5,
    rttMs: { min: 0.1, avg: 0.34, max: 0.5 },
    mtu: 1450,
    tooLarge: null,
    how: "udp",
    code: null,
    message: null,
    ...change,
  };
}

function measured(count: number, items: Pair[]): Measured {
  const hosts = Array.from({ length: count }, (_, i) => ({
    subnet: subnet(i + 1),
    publicIp: `192.0.2.${i + 1}`,
    node: null,
    row: i === 0 ? "self" : "measured",
    family: "ipv4" as const,
  }));
  return { node: "n", ok: true, hosts, items, generatedAt: "2026-01-01T00:00:00.000Z" };
}

Deno.test("matrix: rows from, columns to; nothing is known of a pair that nobody measured", () => {
  const text = matrix(measured(3, [pair(1, 2), pair(2, 1, { state: "lost", rttMs: null }), pair(3, 1)]), 80)!;
  assert.deepEqual(text.split("\n"), [
    "FROM                 TO 1  TO 2  TO 3",
    "1     10.244.1.0/24  -     0.34  ?",
    "2     10.244.2.0/24  lost  -     ?",
    "3     10.244.3.0/24  0.34  ?     -",
  ]);
});

for (
  const [what, change, cell] of [
    ["a time below ten", { rttMs: { min: 1, avg: 3.456, max: 9 } }, "3.5"],
    ["a long time", { rttMs: { min: 1, avg: 123.4, max: 900 } }, "123"],
    ["a share of losses", { state: "lossy", received: 4 }, "20%"],
    ["packets without replies", { state: "one-way", received: 0, rttMs: null }, "no-reply"],
    ["a hole", { state: "hole", tooLarge: 1401 }, "hole"],
    ["nothing", { state: "unknown", sent: null, rttMs: null }, "?"],
  ] as [string, Partial<Pair>, string][]
) Deno.test(`matrix: ${what} is ${cell}`, () => assert.equal(cellOf(pair(1, 2, change)), cell));

Deno.test("matrix: of a dual-stack network it is there once for each family", () => {
  const four = measured(2, [pair(1, 2), pair(2, 1)]);
  const six = (text: string) => text.replace(/^10.244.(.).0\/24$/, "fd00:1:0:$1::/64");
  const family = "ipv6" as const;
  const both = {
    ...four,
    hosts: [...four.hosts, ...four.hosts.map((one) => ({ ...one, subnet: six(one.subnet), family }))],
    items: [
      ...four.items,
      ...four.items.map((one) => ({
        ...pair(1, 2, { state: "lost", rttMs: null }),
        from: six(one.from),
        to: six(one.to),
        family,
      })),
    ],
  };
  assert.deepEqual(matrix(both, 80)!.split("\n"), [
    "FROM                 TO 1  TO 2",
    "1     10.244.1.0/24  -     0.34",
    "2     10.244.2.0/24  0.34  -",
    "",
    "FROM                   TO 1  TO 2",
    "1     fd00:1:0:1::/64  -     lost",
    "2     fd00:1:0:2::/64  lost  -",
  ]);
  assert.equal(matrix(both, 32), undefined, "the wider one does not fit");
});

Deno.test("matrix: twenty hosts fit a pipe and a wide terminal, not a narrow one; hundreds never do", () => {
  const all = measured(20, []);
  assert.notEqual(matrix(all, 0), undefined);
  assert.notEqual(matrix(all, 200), undefined);
  assert.equal(matrix(all, 80), undefined);
  assert.equal(matrix(measured(100, []), 0), undefined);
});

Deno.test("matrix: below it stands one line for each pair that is not well, and for each host that is special", () => {
  const lost = pair(1, 2, { state: "lost", code: "peer-unreachable", message: "a does not reach b" });
  const document = measured(3, [lost, pair(1, 3, { how: "icmp" }), pair(2, 3, { how: "icmp" })]);
  const hosts = document.hosts.map((one, i) => i === 2 ? { ...one, row: "silent" } : one);
  assert.deepEqual(notes({ ...document, hosts }), [
    "! peer-unreachable  a does not reach b",
    "- icmp  10.244.3.0/24 was measured by ICMP echoes: its agent does not answer probes",
    "! silent  10.244.3.0/24 did not measure: no answer came from it; either no agent runs there, or a packet filter on the way drops what it is asked (flan doctor there)",
  ]);
});
