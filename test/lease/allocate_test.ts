import assert from "node:assert/strict";
import fc from "fast-check";
import { allocate, type AllocateRequest } from "../../lease/allocate.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { isSubnetOf } from "../../lease/subnet_range.ts";
import type { LeaseRecord, PastLease } from "../../lease/store.ts";
import { FlanError } from "../../net/errors.ts";
import { covers, overlaps, parseCidr } from "../../net/ip.ts";
import type { Json } from "../../net/json.ts";

const sixteen = { Network: "10.5.0.0/24", SubnetLen: 28, SubnetMin: "10.5.0.0" };

interface Situation extends Partial<Omit<AllocateRequest, "config" | "snapshot">> {
  readonly network?: Json;
  readonly records?: readonly LeaseRecord[];
  readonly past?: readonly PastLease[];
}

function choose({ network = { Network: "10.5.0.0/16" }, records = [], past = [], ...more }: Situation) {
  const snapshot = { revision: 9, config: undefined, records, past };
  return allocate({
    config: parseNetworkConfig(network),
    snapshot,
    node: "me",
    publicIp: "192.168.0.100",
    ...more,
  });
}

function record(key: string, more: Partial<LeaseRecord> & { ip?: string } = {}): LeaseRecord {
  const { ip = "192.168.0.1", ...rest } = more;
  return { key, value: { PublicIP: ip }, node: "other", expires: 1e12, revision: 1, ...rest };
}

function refusal(situation: Situation): FlanError {
  try {
    choose(situation);
  } catch (error) {
    assert.ok(error instanceof FlanError);
    return error;
  }
  throw new Error("a subnet was found");
}

Deno.test("the first host gets the first subnet", () => {
  const { subnet, how, record: held, surplus } = choose({});
  assert.deepEqual([subnet, how, held, surplus], ["10.5.1.0/24", "free", undefined, []]);
});

Deno.test("own leases are known by the node, whatever their value says", () => {
  for (const value of [{ PublicIP: "192.168.0.7" }, null, { PublicIP: 7 }]) {
    const mine = record("10.5.7.0-24", { node: "me", value });
    const { subnet, how, record: held } = choose({ records: [mine], previous: "10.5.9.0/24" });
    assert.deepEqual([subnet, how, held], ["10.5.7.0/24", "own", mine]);
  }
});

Deno.test("an own lease that the config no longer allows is given back", () => {
  const mine = record("10.5.7.0-25", { node: "me" });
  const { subnet, how, surplus } = choose({ records: [mine] });
  assert.deepEqual([subnet, how, surplus], ["10.5.1.0/24", "free", [mine]]);
});

Deno.test("of several own leases the first that fits is kept, and reservations are never given back", () => {
  const [a, b, c, reserved] = [
    record("10.6.0.0-24", { node: "me" }),
    record("10.5.3.0-24", { node: "me" }),
    record("10.5.20.0-24", { node: "me" }),
    record("10.5.30.0-24", { node: "me", expires: undefined }),
  ] as const;
  const { subnet, surplus } = choose({ records: [reserved, c, b, a] });
  assert.equal(subnet, "10.5.3.0/24");
  assert.deepEqual(surplus, [c, a]);
});

Deno.test("a host that ran flannel takes its lease over by its address", () => {
  const former = record("10.5.7.0-24", { node: undefined, ip: "192.168.0.100" });
  const { subnet, how, record: held } = choose({ records: [former], previous: "10.5.9.0/24" });
  assert.deepEqual([subnet, how, held], ["10.5.7.0/24", "taken-over", former]);
  assert.equal(choose({ records: [{ ...former, key: "10.5.7.0-25" }] }).how, "free");
});

Deno.test("another flan host with this address is an error that names it", () => {
  const twin = record("10.5.7.0-24", { ip: "192.168.0.100", node: "twin" });
  const { code, message, hint } = refusal({ records: [twin, record("10.5.8.0-24", { node: "me" })] });
  assert.equal(code, "failed");
  assert.equal(
    message,
    "Cannot lease a subnet for 192.168.0.100: 10.5.7.0/24 is held with this address by node twin",
  );
  assert.match(hint!, /flan lease revoke 10\.5\.7\.0\/24 --yes .*--iface or --public-ip/);
});

Deno.test("a wish is granted when it is free and fits", () => {
  const { subnet, how } = choose({ wish: "10.5.40.0/24", previous: "10.5.9.0/24" });
  assert.deepEqual([subnet, how], ["10.5.40.0/24", "wish"]);
});

Deno.test("a wish that does not fit is refused", () => {
  for (const wish of ["10.5.40.0/25", "10.6.40.0/24", "10.5.0.0/24", "10.5.40.7/24", "fd00::/24", "?"]) {
    const { code, message } = refusal({ wish });
    assert.equal(code, "invalid");
    assert.ok(message.startsWith("Cannot "), message);
  }
});

Deno.test("a wish that somebody holds, in whole or in part, is refused with the holder", () => {
  for (const key of ["10.5.40.0-24", "10.5.40.128-25", "10.5.32.0-20"]) {
    const { code, message } = refusal({ wish: "10.5.40.0/24", records: [record(key)] });
    assert.equal(code, "failed");
    assert.ok(message.endsWith(`the lease ${key.replace("-", "/")} of 192.168.0.1 (node other)`), message);
  }
  const unreadable = record("10.5.40.0-24", { value: [], node: undefined, expires: undefined });
  const { message } = refusal({ wish: "10.5.40.0/24", records: [unreadable] });
  assert.ok(message.endsWith("the reservation 10.5.40.0/24 of a host without a usable address"), message);
});

Deno.test("a wish other than the lease this host holds is refused with that lease", () => {
  const mine = record("10.5.7.0-24", { node: "me" });
  assert.equal(choose({ wish: "10.5.7.0/24", records: [mine] }).how, "own");
  const { code, message } = refusal({ wish: "10.5.8.0/24", records: [mine] });
  assert.equal(code, "invalid");
  assert.equal(message, "Cannot lease 10.5.8.0/24: this host holds 10.5.7.0/24");
});

Deno.test("the previous subnet is taken again unless it is held, unfit or nonsense", () => {
  assert.equal(choose({ previous: "10.5.9.0/24" }).how, "previous");
  for (const previous of ["10.5.9.0/25", "10.6.9.0/24", "10.5.9.9/24", "$(reboot)"]) {
    assert.equal(choose({ previous }).subnet, "10.5.1.0/24");
  }
  const held = record("10.5.8.0-23");
  assert.equal(choose({ previous: "10.5.9.0/24", records: [held] }).subnet, "10.5.1.0/24");
});

Deno.test("new subnets come before released ones, those before expired ones, the longest ago first", () => {
  const past: PastLease[] = Array.from({ length: 15 }, (_, i) => ({
    key: `10.5.0.${(i + 1) * 16}-28`,
    how: i % 2 === 0 ? "released" : "expired",
    ended: 5000 - i,
  }));
  const order: string[] = [];
  const records: LeaseRecord[] = [];
  for (let i = 0; i < 16; i++) {
    const { subnet } = choose({ network: sixteen, records, past });
    order.push(subnet);
    records.push(record(subnet.replace("/", "-"), { node: `n${i}` }));
  }
  const released = [15, 13, 11, 9, 7, 5, 3, 1];
  const expired = [14, 12, 10, 8, 6, 4, 2];
  assert.deepEqual(order, [0, ...released, ...expired].map((i) => `10.5.0.${i * 16}/28`));
});

Deno.test("subnets of an earlier length do not use the network up", () => {
  const past: PastLease[] = [{ key: "10.5.0.0-24", how: "released", ended: 1 }];
  assert.equal(choose({ network: sixteen, past }).subnet, "10.5.0.0/28");
});

Deno.test("a full network is out of subnets, with their number", () => {
  const records = Array.from({ length: 16 }, (_, i) => record(`10.5.0.${i * 16}-28`, { node: `n${i}` }));
  const { code, message } = refusal({ network: sixteen, records });
  assert.equal(code, "out-of-subnets");
  assert.equal(message, "Cannot lease a subnet of 10.5.0.0/24: out of subnets, all 16 /28 are taken");
});

Deno.test("what cannot be read as a key blocks nothing, and what can does, whatever its value", () => {
  const odd = [record("__proto__"), record("10.5.1.0"), record("10.5.1.1-24")];
  assert.equal(choose({ records: odd }).subnet, "10.5.1.0/24");
  const held = [record("10.5.1.0-24", { value: null }), record("10.5.2.0-24&fd00::-64")];
  assert.equal(choose({ records: held }).subnet, "10.5.3.0/24");
});

Deno.test("the choice is made among at most 100 candidates", () => {
  const counts: number[] = [];
  const pick = (count: number) => (counts.push(count), count - 1);
  assert.equal(choose({ pick }).subnet, "10.5.100.0/24");
  assert.equal(choose({ pick, network: sixteen }).subnet, "10.5.0.240/28");
  assert.deepEqual(counts, [100, 16]);
});

Deno.test("a free subnet fits the config and overlaps nothing that is held, or there is none", () => {
  const held = fc.record({ at: fc.integer({ min: 0, max: 63 }), length: fc.integer({ min: 23, max: 30 }) });
  fc.assert(fc.property(fc.array(held, { maxLength: 25 }), fc.nat(), (all, seed) => {
    const config = parseNetworkConfig(sixteen);
    const records = all.map(({ at, length }) => {
      const step = 2 ** (32 - length);
      const address = Math.floor(at * 4 / step) * step;
      return record(`10.5.${address >> 8}.${address & 255}-${length}`);
    });
    const free = Array.from({ length: 16 }, (_, i) => `10.5.0.${i * 16}/28`).filter((subnet) =>
      !records.map(({ key }) => parseCidr(key.replace("-", "/")))
        .some((other) => overlaps(parseCidr(subnet), other) && !covers(other, config.network))
    );
    const situation = { network: sixteen, records, pick: (count: number) => seed % count };
    if (free.length === 0) assert.equal(refusal(situation).code, "out-of-subnets");
    else {
      const { subnet } = choose(situation);
      assert.equal(subnet, free[seed % free.length]);
      assert.ok(isSubnetOf(config, parseCidr(subnet)));
    }
  }));
});

Deno.test("four million subnets are not listed to find one", () => {
  // Every subnet but the last is held, in runs that leave no gap.
  const keys = Array.from({ length: 22 }, (_, i) => {
    const length = 9 + i;
    const address = 2 ** 24 - 2 ** (33 - length);
    return `10.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}-${length}`;
  });
  const records = keys.map((key) => record(key));
  assert.equal(
    choose({ network: { Network: "10.0.0.0/8", SubnetLen: 30 }, records }).subnet,
    "10.255.255.252/30",
  );
});

Deno.test("a lease that covers the whole network holds none of it: one bad key must not keep everybody out", () => {
  const covering = ["0.0.0.0-0", "10.0.0.0-8", "10.5.0.0-16"].map((key) => record(key));
  assert.equal(choose({ records: covering }).subnet, "10.5.1.0/24");
  assert.equal(choose({ records: covering, wish: "10.5.9.0/24" }).how, "wish");
  assert.equal(choose({ records: covering, previous: "10.5.9.0/24" }).how, "previous");
  const past = [{ key: "0.0.0.0-0", how: "expired", ended: 1 } as const];
  assert.equal(choose({ records: covering, past }).subnet, "10.5.1.0/24");
  // Half of the network is a lease like any other, however large.
  assert.equal(choose({ records: [record("10.5.0.0-17")] }).subnet, "10.5.128.0/24");
  const error = refusal({ records: [...covering, record("10.5.9.0-24")], wish: "10.5.9.0/24" });
  assert.match(error.message, /held by the lease 10\.5\.9\.0\/24 of/);
});

const reserved = (key: string, more: Parameters<typeof record>[1] = {}) =>
  record(key, { ip: "0.0.0.0", node: undefined, expires: undefined, ...more });

Deno.test("what is reserved for this node or this address is taken before anything but an own lease", () => {
  const forNode = reserved("10.5.60.0-24", { node: "me" });
  const forAddress = reserved("10.5.50.0-24", { ip: "192.168.0.100" });
  const former = record("10.5.40.0-24", { node: undefined, ip: "192.168.0.100" });
  const mine = record("10.5.70.0-24", { node: "me" });
  const network = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
  const taken = (...records: LeaseRecord[]) => {
    const { subnet, how, record: held, surplus } = choose({ network, records, previous: "10.5.9.0/24" });
    assert.deepEqual(surplus, []);
    return [subnet, how, held?.key];
  };
  assert.deepEqual(taken(forNode, former), ["10.5.60.0/24", "reserved", "10.5.60.0-24"]);
  assert.deepEqual(taken(forAddress, former), ["10.5.50.0/24", "reserved", "10.5.50.0-24"]);
  assert.deepEqual(taken(forNode, forAddress, mine), ["10.5.70.0/24", "own", "10.5.70.0-24"]);
  assert.deepEqual(taken(reserved("10.5.60.0-25", { node: "me" })), ["10.5.9.0/24", "previous", undefined]);
});

Deno.test("what is reserved for another or for nobody is never given away", () => {
  const records = [
    reserved("10.5.1.0-24"),
    reserved("10.5.2.0-24", { node: "other" }),
    reserved("10.5.3.0-24", { ip: "192.168.0.7" }),
  ];
  assert.equal(choose({ records, previous: "10.5.2.0/24" }).subnet, "10.5.4.0/24");
  const holders = ["for nobody", "for node other", "for 192.168.0.7"];
  for (const [i, holder] of holders.entries()) {
    const network = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
    const { code, message } = refusal({ network, wish: `10.5.${i + 1}.0/24`, records });
    assert.equal(code, "failed");
    assert.ok(message.endsWith(`the reservation 10.5.${i + 1}.0/24 ${holder}`), message);
  }
});

Deno.test("a wish chooses among reservations, and may name a subnet that is not reserved", () => {
  const records = [reserved("10.5.60.0-24", { node: "me" }), reserved("10.5.61.0-24", { node: "me" })];
  const wished = (wish: string) => choose({ records, wish }).how;
  assert.deepEqual(["10.5.61.0/24", "10.5.62.0/24"].map(wished), ["reserved", "wish"]);
});

Deno.test("a host that is in a subnet stays there before it claims another one that waits for it", () => {
  const records = [reserved("10.5.60.0-24", { node: "me" })];
  const current = "10.5.9.0/24";
  const past = (how: PastLease["how"]) => [{ key: "10.5.9.0-24", how, ended: 1, node: "me" }];
  assert.equal(choose({ records, current }).subnet, current);
  assert.equal(choose({ records, current, past: past("expired") }).subnet, current);
  assert.equal(choose({ records, previous: current }).how, "reserved", "a join");
  assert.equal(choose({ records, current, past: past("released") }).how, "reserved", "it was sent away");
  assert.equal(choose({ records: [...records, record("10.5.9.0-24")], current }).how, "reserved");
  assert.equal(choose({ records, current: "10.9.9.0/24" }).how, "reserved", "it is of another network");
});

Deno.test("of what is reserved for a host it claims the subnet that it is in", () => {
  const records = [reserved("10.5.60.0-24", { node: "me" }), reserved("10.5.61.0-24", { node: "me" })];
  const { subnet, how } = choose({ records, current: "10.5.61.0/24" });
  assert.deepEqual([subnet, how], ["10.5.61.0/24", "reserved"]);
});
