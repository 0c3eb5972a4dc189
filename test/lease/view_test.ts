import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeRecord, encodeLease, isRefusal } from "../../lease/decode.ts";
import { leaseKey, parseKey, subnetIn, subnetOfKey, subnetsIn } from "../../lease/key.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { LeaseRecord, Snapshot } from "../../lease/store.ts";
import { makeView, type View } from "../../lease/view.ts";
import { lastAddress, parseCidr } from "../../net/ip.ts";
import type { Json } from "../../net/json.ts";
import { isPrintable } from "../../net/text.ts";

const network = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
const value = (publicIp: string): Json => ({ PublicIP: publicIp, PublicIPv6: null, BackendType: "vxlan" });
const own = record("10.5.100.0-24", { value: value("192.168.0.100"), node: "me", revision: 1 });
const peer = record("10.5.8.0-24", { value: value("192.168.0.8"), revision: 2 });

function record(key: string, more: Partial<LeaseRecord>): LeaseRecord {
  return { key, value: value("192.168.0.1"), node: undefined, expires: 1e12, revision: 9, ...more };
}

function view(records: readonly LeaseRecord[], node = "me"): View {
  const snapshot: Snapshot = { revision: 9, config: undefined, records, past: [] };
  return makeView(snapshot, { node, network });
}

function fixture<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/leases/${name}.json`, import.meta.url)));
}

for (const hostile of fixture<{ name: string; key: string; code: string; value: Json }[]>("hostile")) {
  Deno.test(`a hostile lease is refused alone: ${hostile.name}`, () => {
    const { own: mine, peers, refused } = view([own, record(hostile.key, { value: hostile.value }), peer]);
    assert.equal(mine?.subnet, "10.5.100.0/24");
    assert.deepEqual(peers.map(({ subnet }) => subnet), ["10.5.8.0/24"]);
    assert.deepEqual(refused.map(({ code }) => code), [hostile.code]);
    const { subnet, reason } = refused[0]!;
    assert.ok(isPrintable(subnet) && isPrintable(reason) && reason.length > 10, reason);
  });
}

Deno.test("megabytes of text in any place of a lease give a short refusal", () => {
  const long = "\u001b".repeat(1 << 20);
  const hostile = [
    record(long, {}),
    record(`10.5.7.0-${long}`, {}),
    record("10.5.7.0-24", { value: long }),
    record("10.5.7.0-24", { node: long }),
    ...["PublicIP", "BackendType", "BackendData"].map((name) =>
      record("10.5.7.0-24", { value: { PublicIP: "192.168.0.1", [name]: long } })
    ),
    record("10.5.7.0-24", { value: { PublicIP: "192.168.0.1", BackendData: { [long]: 1 } } }),
    record("10.5.7.0-24", { value: { PublicIP: "192.168.0.1", BackendData: new Array(1 << 16).fill(1) } }),
  ];
  for (const one of hostile) {
    const refusal = decodeRecord(one);
    assert.ok(isRefusal(refusal));
    assert.ok(refusal.reason.length < 1500 && refusal.subnet.length < 300);
    assert.ok(isPrintable(refusal.reason) && isPrintable(refusal.subnet));
  }
});

Deno.test("no JSON value makes decoding throw", () => {
  const json = fc.jsonValue() as fc.Arbitrary<Json>;
  const fields = fc.dictionary(
    fc.constantFrom("PublicIP", "publicip", "PublicIPv6", "BackendType", "BackendData", "__proto__"),
    json,
  );
  fc.assert(fc.property(fc.oneof(json, fields), fc.string(), (any, key) => {
    const lease = decodeRecord(record("10.5.7.0-24", { value: any as Json }));
    assert.equal(lease.subnet, "10.5.7.0/24");
    decodeRecord(record(key, {}));
  }));
});

Deno.test("leases are written exactly as flannel writes them, and read back", () => {
  type Written = { lease: { publicIp: string; backendType: string; backendData?: Json }; text: string };
  for (const { lease, text } of fixture<Written[]>("written-by-flannel")) {
    assert.equal(JSON.stringify(encodeLease({ backendData: undefined, ...lease })), text);
    const decoded = decodeRecord(record("10.5.1.0-24", { value: JSON.parse(text), node: "n", revision: 4 }));
    assert.deepEqual(decoded, {
      subnet: "10.5.1.0/24",
      backendData: undefined,
      ...lease,
      node: "n",
      expires: 1e12,
      revision: 4,
    });
  }
});

Deno.test("fields are read whatever their case, and what others add is ignored", () => {
  const text =
    '{"publicip":"192.168.0.1","BACKENDTYPE":"vxlan","backenddata":null,"PublicIPv6":"fd00::1","X":[]}';
  const lease = decodeRecord(record("10.5.1.0-24", { value: JSON.parse(text) }));
  assert.ok(!isRefusal(lease));
  assert.equal(lease.publicIp, "192.168.0.1");
  assert.equal(lease.backendType, "vxlan");
  assert.equal(lease.backendData, undefined);
});

Deno.test("keys and subnets turn into each other", () => {
  for (const subnet of ["10.5.1.0/24", "0.0.0.0/0", "10.5.1.2/31", "fd00:5:1::/64", "::/0", "fd00::/127"]) {
    assert.deepEqual(parseKey(leaseKey({ subnet })), { subnet });
  }
  const both = { subnet: "10.5.1.0/24", subnet6: "fd00:5:1::/64" };
  assert.equal(leaseKey(both), "10.5.1.0-24&fd00:5:1::-64");
  assert.deepEqual(parseKey("10.5.1.0-24&fd00:5:1::-64"), both);
  for (
    const bad of ["10.5.1.1/24", "10.5.1.1/32", "fd00::1/64", "fd00::1/128", "10.5.1.0-24", "10.5.1/24", ""]
  ) {
    assert.throws(() => leaseKey({ subnet: bad }), /^FlanError: Cannot/);
  }
  for (
    const bad of ["10.5.1.1-24", "10.5.1.1-32", "10.5.1.0-024", "10.5.1.0/24", "-", "10.5.1.0-24 ", ":", ""]
  ) {
    assert.throws(() => parseKey(bad), /^FlanError: Cannot/);
  }
});

Deno.test("each half of a key holds its subnet, whatever is wrong with the other one", () => {
  const halves = (key: string) => [subnetOfKey(key), subnetIn(key, 4), subnetIn(key, 6)];
  assert.deepEqual(halves("10.5.1.0-24"), ["10.5.1.0/24", "10.5.1.0/24", undefined]);
  assert.deepEqual(halves("fd00::-64"), ["fd00::/64", undefined, "fd00::/64"]);
  assert.deepEqual(halves("10.5.1.0-24&fd00::-64"), ["10.5.1.0/24", "10.5.1.0/24", "fd00::/64"]);
  assert.deepEqual(halves("10.5.1.0-24&FD00::-64"), ["10.5.1.0/24", "10.5.1.0/24", undefined]);
  assert.deepEqual(halves("10.5.1.7-24&fd00::-64"), [undefined, undefined, "fd00::/64"]);
  assert.deepEqual(halves("?"), [undefined, undefined, undefined]);
  assert.deepEqual(subnetsIn("10.5.1.0-24&fd00::-64"), ["10.5.1.0/24", "fd00::/64"]);
});

Deno.test("where leases overlap, the one of the network's own length wins, whatever the revisions", () => {
  const proper = record("10.5.8.0-24", { value: value("192.168.0.8"), revision: 50 });
  const wide = record("10.5.8.0-23", { revision: 2 });
  const narrow = record("10.5.8.128-25", { revision: 3 });
  const { peers, refused } = view([narrow, wide, proper]);
  assert.deepEqual(peers.map(({ subnet }) => subnet), ["10.5.8.0/24"]);
  assert.deepEqual(refused.map(({ code }) => code), ["overlap", "overlap"]);
  assert.match(refused[0]!.reason, /10\.5\.8\.0\/24 of 192\.168\.0\.8/);
});

Deno.test("among leases of other lengths the older revision wins", () => {
  const wide = record("10.5.8.0-22", { revision: 7 });
  const narrow = record("10.5.9.0-25", { revision: 6 });
  assert.deepEqual(view([wide, narrow]).peers.map(({ subnet }) => subnet), ["10.5.9.0/25"]);
  assert.deepEqual(view([{ ...wide, revision: 5 }, narrow]).peers.map(({ subnet }) => subnet), [
    "10.5.8.0/22",
  ]);
});

Deno.test("a host gives way by the same rule as its peers see it", () => {
  const mine = record("10.5.8.0-25", { node: "me", value: value("192.168.0.9"), revision: 1 });
  const mineSeen = view([mine, peer]);
  assert.equal(mineSeen.own, undefined);
  assert.deepEqual(mineSeen.refused.map(({ subnet, code }) => [subnet, code]), [["10.5.8.0/25", "overlap"]]);
  assert.deepEqual(view([mine, peer], "someone").peers.map(({ subnet }) => subnet), ["10.5.8.0/24"]);
});

Deno.test("a second lease of this host is no peer", () => {
  const second = record("10.5.200.0-24", { node: "me", value: value("192.168.0.100") });
  const { own: mine, peers, refused } = view([second, own]);
  assert.equal(mine?.subnet, "10.5.100.0/24");
  assert.deepEqual(peers, []);
  assert.deepEqual(refused.map(({ code }) => code), ["second-lease"]);
});

Deno.test("accepted leases never overlap, every host accepts the same, and order does not matter", () => {
  const lease = fc.record({
    third: fc.integer({ min: 0, max: 15 }),
    length: fc.integer({ min: 18, max: 28 }),
    revision: fc.integer({ min: 1, max: 30 }),
    node: fc.constantFrom("a", "b", "c"),
  });
  fc.assert(fc.property(fc.array(lease, { maxLength: 12 }), (leases) => {
    const records = leases.map(({ third, length, revision, node }, i) => {
      const shift = 32 - length;
      const address = Math.floor((third * 256) / 2 ** shift) * 2 ** shift;
      const key = `10.5.${address >> 8}.${address & 255}-${length}`;
      return record(key, { node: `${node}${i}`, revision, value: value(`192.168.1.${i + 1}`) });
    }).filter((one, i, all) => all.findIndex(({ key }) => key === one.key) === i);
    const held = (records: LeaseRecord[], node: string) => {
      const seen = view(records, node);
      return [...seen.peers, ...seen.own === undefined ? [] : [seen.own]].map(({ subnet }) => subnet).sort();
    };
    const accepted = held(records, "nobody");
    const ranges = accepted.map(parseCidr).sort((a, b) => Number(a.address - b.address));
    for (let i = 1; i < ranges.length; i++) assert.ok(lastAddress(ranges[i - 1]!) < ranges[i]!.address);
    for (const { node } of records) assert.deepEqual(held(records.toReversed(), node!), accepted);
  }));
});

Deno.test("a lease that holds an address of the host is refused, and its own subnet is not", () => {
  const snapshot: Snapshot = { revision: 3, config: undefined, records: [own, peer], past: [] };
  const local = ["10.5.100.1", "10.5.8.77", "192.168.0.100"];
  const { peers, refused, own: mine } = makeView(snapshot, { node: "me", network, local });
  assert.equal(mine?.subnet, "10.5.100.0/24");
  assert.deepEqual(peers, []);
  assert.deepEqual(refused, [{
    subnet: "10.5.8.0/24",
    code: "covers-host",
    reason: "it holds 10.5.8.77, an address or gateway of this host",
  }]);
});

Deno.test("whoever looks at the same leases has a view of their own, with the same leases in it", () => {
  const second = record("10.5.101.0-24", { value: value("192.168.0.101"), node: "me", revision: 2 });
  const bad = record("10.5.9.0-24", { value: 7 });
  const snapshot: Snapshot = { revision: 9, config: undefined, records: [own, second, peer, bad], past: [] };
  const mine = () => makeView(snapshot, { node: "me", network });
  const [first, other, again] = [mine(), makeView(snapshot, { node: "other", network }), mine()];
  assert.deepEqual(again, first, "what one view refuses is not refused twice in the next one");
  assert.deepEqual(other.refused.map(({ code }) => code), ["bad-value"]);
  assert.equal(other.peers.length, 3);
  assert.ok(first.peers.every((lease) => other.peers.includes(lease)), "judged once");
  const narrow = parseNetworkConfig({ Network: "10.5.8.0/21", SubnetLen: 24, Backend: { Type: "vxlan" } });
  assert.deepEqual(makeView(snapshot, { node: "other", network: narrow }).peers.map(({ subnet }) => subnet), [
    "10.5.8.0/24",
  ]);
});
