/** Networks of both address families and of IPv6 alone, whose leases have keys of their own, on any store. */
import assert from "node:assert/strict";
import { createLease } from "../../lease/create.ts";
import { acquire, type Claim, renew } from "../../lease/manager.ts";
import { type NetworkConfig, parseNetworkConfig } from "../../lease/network.ts";
import { release } from "../../lease/release.ts";
import { reserve, unreserve } from "../../lease/reserve.ts";
import { makeView } from "../../lease/view.ts";
import type { Clock } from "../../net/clock.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import { type Cases, fails, lease, type Opened, told } from "./store_case.ts";

const IPV6 = { EnableIPv6: true, IPv6Network: "fd00:5::/48", Backend: { Type: "vxlan" } };
const DUAL: Json = { Network: "10.5.0.0/16", ...IPV6 };
const ALONE: Json = { EnableIPv4: false, ...IPV6 };
const data = (n: number) => ({ VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` });

function claimOf(n: number, stack: "dual" | "alone"): Claim {
  const common = { node: `node-${n}`, backendType: "vxlan", ttl: 3600 };
  return stack === "alone" ? { ...common, publicIp: `2001:db8::${n}`, backendData: data(n) } : {
    ...common,
    publicIp: `192.0.2.${n}`,
    backendData: data(n),
    publicIp6: `2001:db8::${n}`,
    backendV6Data: data(n),
  };
}

/** Time goes on in the store only; whoever loses a round tries again at once. */
function impatient({ now }: Opened): Clock {
  return {
    now,
    monotonic: now,
    sleep: () => Promise.resolve(),
    turn: () => Promise.resolve(),
    random: () => 0,
    randomBytes: (length) => new Uint8Array(length),
  };
}

export const storeStacks: Cases = {
  "dual stack: a lease has one key for both its subnets, and flannel's value": async (network) => {
    const [store, tools] = [network.open(), { clock: impatient(network), log: silent }];
    await store.writeConfig(DUAL, 0);
    const first = await acquire(store, claimOf(1, "dual"), tools);
    const second = await acquire(network.open(), claimOf(2, "dual"), tools);
    assert.deepEqual([first.subnet, first.subnet6], ["10.5.1.0/24", "fd00:5:0:1::/64"]);
    assert.deepEqual([second.subnet, second.subnet6], ["10.5.2.0/24", "fd00:5:0:2::/64"]);
    const { records: [record] } = await network.open().read();
    assert.deepEqual([record?.key, record?.value, record?.node], [
      "10.5.1.0-24&fd00:5:0:1::-64",
      {
        PublicIP: "192.0.2.1",
        PublicIPv6: "2001:db8::1",
        BackendType: "vxlan",
        BackendData: data(1),
        BackendV6Data: data(1),
      },
      "node-1",
    ]);
  },

  "dual stack: a lease is renewed, moved with its host, given back and taken again with both subnets": async (
    network,
  ) => {
    const [store, clock] = [network.open(), impatient(network)];
    const tools = { clock, log: silent };
    await store.writeConfig(DUAL, 0);
    const wishes = { wish: "10.5.7.0/24", wish6: "fd00:5:0:99::/64" };
    const taken = await acquire(store, { ...claimOf(1, "dual"), ...wishes }, tools);
    const kept = await renew(store, taken, claimOf(1, "dual"));
    const moved = await renew(store, kept, { ...claimOf(1, "dual"), publicIp6: "2001:db8::77" });
    assert.deepEqual([moved.subnet6, moved.publicIp6], ["fd00:5:0:99::/64", "2001:db8::77"]);
    const again = await acquire(network.open(), claimOf(1, "dual"), tools);
    assert.equal(again.subnet6, moved.subnet6);
    assert.deepEqual(await release(store, { subnet: "fd00:5:0:99::/64" }, { clock }), [
      { subnet: "10.5.7.0/24", reservation: undefined },
    ]);
    assert.deepEqual((await store.read()).records, []);
    const previous = { previous: taken.subnet, previous6: taken.subnet6 };
    const back = await acquire(store, { ...claimOf(1, "dual"), ...previous }, tools);
    assert.deepEqual([back.subnet, back.subnet6], [taken.subnet, taken.subnet6]);
  },

  "dual stack: of two keys with one subnet in common the one that was written first stays": async (
    network,
  ) => {
    const [store, config] = [network.open(), parseNetworkConfig(DUAL)];
    await store.writeConfig(DUAL, 0);
    const key = (n: number, m: number) => `10.5.${n}.0-24&fd00:5:0:${m}::-64`;
    await createLease(store, lease(1, { key: key(1, 1) }), config);
    await fails(createLease(store, lease(2, { key: key(1, 2) }), config), "conflict");
    await fails(createLease(store, lease(3, { key: key(3, 1) }), config), "conflict");
    await createLease(store, lease(4, { key: key(4, 4) }), config);
    const { records } = await store.read();
    assert.deepEqual(records.map((record) => record.key), [key(1, 1), key(4, 4)]);
  },

  "dual stack: a reservation holds a subnet of each family until its host comes": async (network) => {
    const [store, clock] = [network.open(), impatient(network)];
    await store.writeConfig(DUAL, 0);
    const whom = { node: "node-1", self: undefined, clock };
    const reserved = await reserve(store, { subnet: "10.5.9.0/24", ...whom });
    assert.deepEqual([reserved.how, reserved.lease?.subnet6], ["reserved", "fd00:5:0:9::/64"]);
    assert.equal((await reserve(store, { subnet: "10.5.9.0/24", ...whom })).how, "same");
    await fails(reserve(store, { subnet: "10.5.8.0/24", subnet6: "fd00:5:0:9::/64", ...whom }), "failed");
    const claimed = await acquire(store, claimOf(1, "dual"), { clock, log: silent });
    assert.deepEqual([claimed.subnet6, claimed.expires], ["fd00:5:0:9::/64", undefined]);
    await release(store, { node: "node-1" }, { clock });
    assert.equal((await unreserve(store, { subnet: "10.5.9.0/24", ttl: 60, clock })).how, "removed");
    assert.deepEqual((await store.read()).records, []);
  },

  "IPv6 alone: hosts lease, reserve and give back subnets of IPv6": async (network) => {
    const [store, clock] = [network.open(), impatient(network)];
    const tools = { clock, log: silent };
    await store.writeConfig(ALONE, 0);
    const claim = claimOf(1, "alone");
    const own = await acquire(store, claim, tools);
    const peer = await acquire(network.open(), claimOf(2, "alone"), tools);
    assert.deepEqual([own.subnet, peer.subnet], ["fd00:5:0:1::/64", "fd00:5:0:2::/64"]);
    const kept = await renew(store, own, claim);
    const snapshot = await network.open().read();
    assert.deepEqual(told(snapshot.records)[0], {
      key: "fd00:5:0:1::-64",
      value: {
        PublicIP: "0.0.0.0",
        PublicIPv6: "2001:db8::1",
        BackendType: "vxlan",
        BackendV6Data: data(1),
      },
      node: "node-1",
      revision: kept.revision,
      ends: true,
    });
    const config: NetworkConfig = parseNetworkConfig(snapshot.config!.value);
    const view = makeView(snapshot, { node: "node-1", network: config });
    assert.deepEqual([view.own?.publicIp, view.peers.map(({ publicIp }) => publicIp), view.refused], [
      "2001:db8::1",
      ["2001:db8::2"],
      [],
    ]);
    const whom = { publicIp: "2001:db8::3", self: undefined, clock };
    await reserve(store, { subnet: "fd00:5:0:33::/64", ...whom });
    assert.equal((await acquire(store, claimOf(3, "alone"), tools)).subnet, "fd00:5:0:33::/64");
    await release(store, { node: "node-1" }, { clock });
    assert.deepEqual((await store.read()).records.map(({ key }) => key), [
      "fd00:5:0:2::-64",
      "fd00:5:0:33::-64",
    ]);
  },

  "IPv6 alone: nobody joins where a flannel host holds a lease": async (network) => {
    const store = network.open();
    await store.writeConfig(ALONE, 0);
    await store.create(lease(1, { node: undefined }));
    const error = await fails(
      acquire(store, claimOf(1, "alone"), { clock: impatient(network), log: silent }),
      "failed",
    );
    assert.match(
      error.message,
      /a flannel host holds 10\.5\.1\.0\/24 with 192\.168\.0\.1, and flanneld drops/,
    );
  },
};
