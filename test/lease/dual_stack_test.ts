/** Networks of both families and of IPv6 alone: whose subnets are whose, and who is a peer for which of them. */
import assert from "node:assert/strict";
import { allocate, type AllocateRequest, keptInstead } from "../../lease/allocate.ts";
import { checkLeases } from "../../lease/check.ts";
import { decodeRecord, encodeLease, isRefusal } from "../../lease/decode.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { LeaseRecord, PastLease } from "../../lease/store.ts";
import { viewOf } from "../../lease/stack.ts";
import { holderInstead, makeView, unclaimedIn } from "../../lease/view.ts";
import type { Json } from "../../net/json.ts";

const Backend = { Type: "vxlan" };
const IPV6 = { EnableIPv6: true, IPv6Network: "fd00:5::/48" };
const dual = parseNetworkConfig({ Network: "10.5.0.0/16", ...IPV6, Backend });
const single = parseNetworkConfig({ Network: "10.5.0.0/16", Backend });
const ipv6 = parseNetworkConfig({ EnableIPv4: false, ...IPV6, Backend });

const key = (n: number) => `10.5.${n}.0-24&fd00:5:0:${n.toString(16)}::-64`;

function value(n: number, more: Record<string, Json> = {}): Json {
  return { PublicIP: `192.0.2.${n}`, PublicIPv6: `2001:db8::${n}`, BackendType: "vxlan", ...more };
}

function record(n: number, more: Partial<LeaseRecord> = {}): LeaseRecord {
  return { key: key(n), value: value(n), node: `node-${n}`, expires: 1e12, revision: n, ...more };
}

function snapshotOf(records: readonly LeaseRecord[], past: readonly PastLease[] = []) {
  return { revision: 99, config: undefined, records, past };
}

function view(records: readonly LeaseRecord[], { local = [] as string[], network = dual } = {}) {
  return makeView(snapshotOf(records), { node: "node-1", network, local });
}

/** The subnets of each peer, and what was refused. */
function seen(...all: Parameters<typeof view>) {
  const { peers, refused } = view(...all);
  return {
    peers: peers.map(({ subnet, subnet6 }) => subnet6 === undefined ? [subnet] : [subnet, subnet6]),
    refused: refused.map(({ subnet, code }) => `${subnet} ${code}`),
  };
}

const both = (n: number) => [`10.5.${n}.0/24`, `fd00:5:0:${n.toString(16)}::/64`];

function choose(
  request: Partial<AllocateRequest> & { records?: readonly LeaseRecord[]; past?: PastLease[] },
) {
  const { records = [], past = [], ...rest } = request;
  const publicIp = rest.config === ipv6 ? "2001:db8::1" : "192.0.2.1";
  return allocate({
    config: dual,
    snapshot: snapshotOf(records, past),
    node: "node-1",
    publicIp,
    ...rest,
  });
}

const chosen = (...all: Parameters<typeof choose>) => {
  const { subnet, subnet6, how } = choose(...all);
  return [subnet, subnet6, how];
};

Deno.test("dual stack: own and peers have both halves, and each family's view has its own", () => {
  const all = view([record(1), record(2)]);
  assert.equal(all.own?.subnet6, "fd00:5:0:1::/64");
  assert.deepEqual(all.peers.map(({ subnet6 }) => subnet6), ["fd00:5:0:2::/64"]);
  const { peers: [peer] } = viewOf(all, 6);
  assert.deepEqual([peer?.subnet, peer?.publicIp], ["fd00:5:0:2::/64", "2001:db8::2"]);
});

Deno.test("dual stack: a lease is a peer for the half that it has, as for flannel", () => {
  const plain = record(2, { key: "10.5.2.0-24", value: { PublicIP: "192.0.2.2", PublicIPv6: null } });
  const ipv6Alone = record(3, { key: "fd00:5:0:3::-64" });
  assert.deepEqual(seen([plain, ipv6Alone]), {
    peers: [["10.5.2.0/24"]],
    refused: ["fd00:5:0:3::/64 outside-network"],
  });
});

for (
  const [what, change, code] of [
    ["outside the network", { key: "10.5.2.0-24&fd00:6::-64" }, "fd00:6::/64 outside-network"],
    ["of the whole network", { key: "10.5.2.0-24&fd00:5::-48" }, "fd00:5::/48 covers-network"],
    ["without room", { key: "10.5.2.0-24&fd00:5:0:2::-127" }, "fd00:5:0:2::/127 bad-length"],
    ["without an endpoint", { value: value(2, { PublicIPv6: null }) }, "fd00:5:0:2::/64 bad-endpoint"],
    ["at a loopback", { value: value(2, { PublicIPv6: "::1" }) }, "fd00:5:0:2::/64 bad-endpoint"],
    [
      "at IPv4 in IPv6",
      { value: value(2, { PublicIPv6: "::ffff:192.0.2.2" }) },
      "fd00:5:0:2::/64 bad-endpoint",
    ],
    [
      "inside the overlay",
      { value: value(2, { PublicIPv6: "fd00:5:0:9::1" }) },
      "fd00:5:0:2::/64 bad-endpoint",
    ],
    ["at this host", { value: value(2, { PublicIPv6: "2001:db8::1" }) }, "fd00:5:0:2::/64 bad-endpoint"],
  ] as const
) {
  Deno.test(`dual stack: an IPv6 half ${what} is refused under its own subnet, and the IPv4 half stays`, () => {
    const lease = record(2, change);
    assert.deepEqual(seen([record(1), lease]), { peers: [["10.5.2.0/24"]], refused: [code] });
    const [peer] = view([record(1), lease]).peers;
    assert.deepEqual([peer?.publicIp6, peer?.backendV6Data], [undefined, undefined]);
  });
}

Deno.test("dual stack: a lease whose IPv4 half is refused is no peer for IPv6 either", () => {
  const bad = record(2, { value: value(2, { PublicIP: "127.0.0.1" }) });
  assert.deepEqual(seen([bad]), { peers: [], refused: ["10.5.2.0/24 bad-endpoint"] });
});

Deno.test("dual stack: overlaps are judged in each family, and the older lease has the IPv6 subnet", () => {
  const thief = record(9, { key: "10.5.9.0-24&fd00:5:0:2::-64", revision: 50 });
  const expected = {
    peers: [both(2), ["10.5.9.0/24"]],
    refused: ["fd00:5:0:2::/64 overlap"],
  };
  assert.deepEqual(seen([record(2), thief]), expected);
  assert.deepEqual(seen([thief, record(2)]), expected);
  const wide = record(8, { key: "10.5.8.0-24&fd00:5::-60", revision: 1 });
  assert.deepEqual(seen([record(2), wide]).peers, [both(2), ["10.5.8.0/24"]]);
});

Deno.test("dual stack: of two leases of one IPv4 subnet the one of the network's form wins", () => {
  const plain = record(3, { key: "10.5.2.0-24", revision: 1 });
  assert.deepEqual(seen([plain, record(2)]).peers, [both(2)]);
  const { peers: [peer] } = view([plain, record(2)], { network: single });
  assert.equal(peer?.publicIp, "192.0.2.3");
});

Deno.test("dual stack: a half that holds an address of this host is refused alone, by its family", () => {
  assert.deepEqual(seen([record(2), record(3)], { local: ["fd00:5:0:2::7", "2001:db8::1"] }), {
    peers: [["10.5.2.0/24"], both(3)],
    refused: ["fd00:5:0:2::/64 covers-host"],
  });
  assert.deepEqual(seen([record(2)], { local: ["10.5.2.9"] }).peers, []);
});

Deno.test("dual stack: a host has lost its lease where another holds either of its subnets", () => {
  const own = { subnet: "10.5.1.0/24", subnet6: "fd00:5:0:1::/64" };
  const isOwn = ({ node }: { node: string | undefined }) => node === "node-1";
  const holder = (records: LeaseRecord[], subnets = own) =>
    holderInstead(snapshotOf(records), { subnets, isOwn, network: dual })?.node;
  assert.equal(holder([record(1), record(2)]), undefined);
  assert.equal(holder([record(2, { key: key(1) })]), "node-2");
  const thief = record(9, { key: "10.5.9.0-24&fd00:5:0:1::-64" });
  assert.equal(holder([record(1), thief]), undefined, "the older one holds it");
  assert.equal(holder([record(1, { revision: 77 }), thief]), "node-9");
});

Deno.test("dual stack: a new host gets a subnet of each family, at the same place of both", () => {
  assert.deepEqual(chosen({}), ["10.5.1.0/24", "fd00:5:0:1::/64", "free"]);
  assert.deepEqual(chosen({ records: [record(2, { key: key(1) })] }), [...both(2), "free"]);
  assert.deepEqual(chosen({ pick: () => 41 }), [...both(42), "free"]);
});

Deno.test("dual stack: where the same place is not free the IPv6 subnet is another free one", () => {
  const other = record(9, { key: "10.5.9.0-24&fd00:5:0:1::-64" });
  assert.deepEqual(chosen({ records: [other] }), ["10.5.1.0/24", "fd00:5:0:2::/64", "free"]);
  const narrow = parseNetworkConfig({
    Network: "10.5.0.0/16",
    ...IPV6,
    IPv6SubnetMax: "fd00:5:0:1::",
    Backend,
  });
  assert.throws(
    () => choose({ config: narrow, records: [record(2, { key: key(1) })] }),
    /fd00:5::\/48: out of subnets/,
  );
});

Deno.test("dual stack: both subnets are wished, remembered and taken again", () => {
  const wish = { wish: "10.5.7.0/24", wish6: "fd00:5:0:99::/64" };
  assert.deepEqual(chosen(wish), [wish.wish, wish.wish6, "wish"]);
  assert.deepEqual(chosen({ wish: "10.5.7.0/24" }), [...both(7), "wish"]);
  const previous = { previous: "10.5.7.0/24", previous6: "fd00:5:0:99::/64" };
  assert.deepEqual(chosen(previous), [previous.previous, previous.previous6, "previous"]);
  const ended = { key: "10.5.7.0-24&fd00:5:0:99::-64", how: "expired", ended: 5, node: "node-1" } as const;
  assert.deepEqual(chosen({ past: [ended] }), [previous.previous, previous.previous6, "previous"]);
  const held = record(2, { key: "10.5.2.0-24&fd00:5:0:99::-64" });
  assert.throws(
    () => choose({ ...wish, records: [held] }),
    /fd00:5:0:99::\/64: it is held by .* 192\.0\.2\.2/,
  );
  assert.throws(() => choose({ wish6: "fd00:6::/64" }), /the network's subnets are fd00:5:0:1::\/64 to/);
  assert.throws(() => choose({ config: single, wish6: "fd00:5::/64" }), /has no IPv6 beside IPv4/);
  assert.throws(
    () => choose({ wish6: "fd00:5:0:8::/64", records: [record(1)] }),
    /this host holds 10\.5\.1\.0\/24 and/,
  );
});

Deno.test("dual stack: the own lease is kept, and a flannel host's with both halves is taken over", () => {
  assert.deepEqual(choose({ records: [record(1)] }).record?.key, key(1));
  const former = record(7, { node: undefined, value: value(1) });
  assert.deepEqual(chosen({ records: [former] }), [...both(7), "taken-over"]);
});

Deno.test("dual stack: an own lease whose IPv6 subnet is another's is left for one with the same IPv4 subnet", () => {
  const own = record(1, { revision: 77 });
  const thief = record(9, { key: "10.5.9.0-24&fd00:5:0:1::-64" });
  const { subnet, subnet6, record: kept, surplus } = choose({ records: [own, thief] });
  assert.deepEqual([subnet, subnet6, kept, surplus], ["10.5.1.0/24", "fd00:5:0:2::/64", undefined, [own]]);
});

Deno.test("a network that becomes dual stack, or stops to be, leaves every host its IPv4 subnet", () => {
  const plain = record(1, { key: "10.5.7.0-24" });
  const grown = choose({ records: [plain, record(2)] });
  assert.deepEqual([grown.subnet, grown.subnet6, grown.record, grown.surplus], [...both(7), undefined, [
    plain,
  ]]);
  const whole = record(1, { key: key(7) });
  const shrunk = choose({ config: single, records: [whole] });
  assert.deepEqual([shrunk.subnet, shrunk.subnet6, shrunk.surplus], ["10.5.7.0/24", undefined, [whole]]);
});

Deno.test("IPv6 alone: leases stand under IPv6 keys, in the fields of IPv6", () => {
  const announced = {
    publicIp: "2001:db8::1",
    backendType: "vxlan",
    backendData: { VNI: 1, VtepMAC: "be:7a:10:4c:aa:02" },
  };
  const text = '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::1","BackendType":"vxlan",' +
    '"BackendV6Data":{"VNI":1,"VtepMAC":"be:7a:10:4c:aa:02"}}';
  assert.equal(JSON.stringify(encodeLease(announced)), text);
  const stored = record(1, { key: "fd00:5:0:1::-64", value: JSON.parse(text) });
  const { node, expires, revision } = stored;
  assert.deepEqual(decodeRecord(stored), {
    subnet: "fd00:5:0:1::/64",
    ...announced,
    node,
    expires,
    revision,
  });
  const { own } = view([stored], { network: ipv6 });
  assert.equal(own?.publicIp, "2001:db8::1");
  assert.deepEqual(chosen({ config: ipv6 }), ["fd00:5:0:1::/64", undefined, "free"]);
  assert.equal(choose({ config: ipv6, records: [stored] }).record, stored);
});

Deno.test("IPv6 alone: leases of IPv4 are none of the network's, and nobody's address claims nothing", () => {
  const nobody = record(3, { key: "fd00:5:0:3::-64", value: { PublicIP: "0.0.0.0", PublicIPv6: null } });
  assert.deepEqual(seen([record(2), nobody], { network: ipv6 }), {
    peers: [],
    refused: ["10.5.2.0/24 outside-network", "fd00:5:0:3::/64 bad-endpoint"],
  });
  const reserved = { ...nobody, node: undefined, expires: undefined };
  assert.deepEqual(unclaimedIn(snapshotOf([reserved]), ipv6).map(({ publicIp }) => publicIp), ["::"]);
  const mine = { ...reserved, value: { PublicIP: "0.0.0.0", PublicIPv6: "2001:db8::1" } };
  assert.deepEqual(chosen({ config: ipv6, records: [mine] }), ["fd00:5:0:3::/64", undefined, "reserved"]);
});

Deno.test("IPv6 alone: where a flannel host is, nobody joins, and the reason is said", () => {
  const flannel = record(2, { node: undefined });
  assert.throws(() => choose({ config: ipv6, records: [flannel] }), {
    message: "Cannot use a network of IPv6 alone here: a flannel host holds 10.5.2.0/24 with 192.0.2.2, " +
      "and flanneld drops all its peers where a lease has no IPv4 subnet",
  });
  choose({ config: ipv6, records: [{ ...flannel, expires: undefined }, record(3)] });
  choose({ config: dual, records: [flannel] });
});

Deno.test("check: a lease without a usable IPv6 half is told of, and so is an IPv6 address on two hosts", () => {
  const plain = record(2, { key: "10.5.2.0-24" });
  const twin = record(4, { value: value(4, { PublicIPv6: "2001:db8::3" }) });
  const snapshot = snapshotOf([plain, record(3), twin]);
  const found = (network: typeof dual) =>
    checkLeases({ snapshot, network, node: undefined, unreachable: [] }).map(({ code, subnet }) =>
      `${subnet} ${code}`
    );
  assert.deepEqual(found(dual), ["fd00:5:0:3::/64 address-twice", "10.5.2.0/24 no-ipv6"]);
  const overlapping = record(5, { key: "10.5.5.0-24&fd00:5:0:3::-64" });
  const [first] = checkLeases({
    snapshot: snapshotOf([record(3), overlapping]),
    network: dual,
    node: undefined,
    unreachable: [],
  });
  assert.deepEqual([first?.code, first?.severity, first?.subnet], ["overlap", "high", "fd00:5:0:3::/64"]);
});

Deno.test("ten thousand dual-stack leases leave a free pair to be found, and it is the next one", () => {
  const wide = parseNetworkConfig({ Network: "10.0.0.0/8", ...IPV6, Backend });
  const records = Array.from({ length: 10_000 }, (_, i) => {
    const n = i + 1;
    const lease = `10.${n >> 8}.${n & 255}.0-24&fd00:5:0:${n.toString(16)}::-64`;
    return record(2, { key: lease, node: `node-${n + 1}`, value: { PublicIP: "0.0.0.0", PublicIPv6: null } });
  });
  assert.deepEqual(chosen({ config: wide, records }), ["10.39.17.0/24", "fd00:5:0:2711::/64", "free"]);
  assert.ok(!isRefusal(decodeRecord(records[0]!)));
});

Deno.test("where there is no subnet of IPv6 left, a host goes on with its lease of IPv4, and nobody else with anything", () => {
  const config = parseNetworkConfig({ ...scarceIpv6, Backend });
  const half = { ...record(1), key: "10.5.1.0-24" };
  const records = [half, record(2, { key: "10.5.2.0-24&fd00:5:0:1::-64" })];
  const full = thrownBy(() => choose({ config, records }));
  const instead = (node: string, error = full, of = config) =>
    keptInstead(error, { config: of, snapshot: snapshotOf(records), node });
  assert.match(full.message, /out of subnets/);
  assert.deepEqual([instead("node-1").subnet, instead("node-1").subnet6], ["10.5.1.0/24", undefined]);
  // One that another holds goes on in the lease, for whoever renews it must know its key.
  const overlapped = [record(1, { revision: 9 }), record(2, { key: "10.5.2.0-24&fd00:5:0:1::-64" })];
  const kept = keptInstead(full, { config, snapshot: snapshotOf(overlapped), node: "node-1" });
  assert.equal(kept.subnet6, "fd00:5:0:1::/64");
  const other = new Error("Another");
  for (const again of [() => instead("node-3"), () => instead("node-1", full, single)]) {
    assert.equal(thrownBy(again), full);
  }
  assert.equal(thrownBy(() => instead("node-1", other)), other);
});

const scarceIpv6 = {
  Network: "10.5.0.0/16",
  ...IPV6,
  IPv6SubnetMin: "fd00:5:0:1::",
  IPv6SubnetMax: "fd00:5:0:1::",
};

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}
