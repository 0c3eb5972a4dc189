/** Leases as two versions of flannel write them: each is read whole, and flan writes the same bytes. */
import assert from "node:assert/strict";
import { decodeRecord, encodeLease, isRefusal } from "../../lease/decode.ts";
import type { Lease } from "../../lease/lease.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import { makeView } from "../../lease/view.ts";
import { allocate } from "../../lease/allocate.ts";

interface Written {
  readonly name: string;
  readonly key: string;
  readonly text: string;
  readonly read: Partial<Lease>;
}

/** `written` by that version itself; `foreign` is what it reads from others. */
interface Fixture {
  readonly written: readonly Written[];
  readonly foreign: readonly Written[];
}

function recordOf({ key, text }: Pick<Written, "key" | "text">): LeaseRecord {
  return { key, value: JSON.parse(text), node: undefined, expires: 1e12, revision: 4 };
}

for (const version of ["0.20", "0.28"]) {
  const file = new URL(`../../fixtures/leases/flannel-${version}.json`, import.meta.url);
  const { written, foreign } = JSON.parse(Deno.readTextFileSync(file)) as Fixture;

  Deno.test(`every field of every lease of flannel ${version} is read`, () => {
    for (const one of [...written, ...foreign]) {
      const rest = { node: undefined, expires: 1e12, revision: 4 };
      assert.deepEqual(
        decodeRecord(recordOf(one)),
        { backendData: undefined, ...one.read, ...rest },
        one.name,
      );
    }
  });

  Deno.test(`flan writes the leases of flannel ${version} byte for byte as it does`, () => {
    for (const one of written) {
      const lease = decodeRecord(recordOf(one));
      assert.ok(!isRefusal(lease));
      assert.equal(JSON.stringify(encodeLease(lease)), one.text, one.name);
    }
  });
}

const network = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
const value = (ip: string) => `{"PublicIP":"${ip}","PublicIPv6":"fd00::3","BackendType":"vxlan"}`;
const dual = recordOf({ key: "10.5.7.0-24&fd00:5:7::-64", text: value("192.0.2.7") });

Deno.test("a dual-stack lease is a peer by its IPv4 half, and a lease of the same subnet wins over it", () => {
  const seen = (records: LeaseRecord[]) =>
    makeView({ revision: 9, config: undefined, records, past: [] }, { node: "me", network });
  assert.deepEqual(seen([dual]).peers.map(({ subnet, subnet6 }) => [subnet, subnet6]), [
    ["10.5.7.0/24", "fd00:5:7::/64"],
  ]);
  const plain = { ...recordOf({ key: "10.5.7.0-24", text: value("192.0.2.8") }), revision: 8 };
  for (const records of [[dual, plain], [plain, dual]]) {
    const { peers, refused } = seen(records);
    assert.deepEqual(peers.map(({ publicIp }) => publicIp), ["192.0.2.8"]);
    assert.deepEqual(refused.map(({ code }) => code), ["overlap"]);
  }
});

Deno.test("in a network of IPv4 alone a flannel host's dual-stack lease is not taken over, whoever has its address", () => {
  const snapshot = { revision: 9, config: undefined, records: [dual], past: [] };
  const request = { config: network, snapshot, node: "me", publicIp: "192.0.2.7" };
  assert.deepEqual([allocate(request).subnet, allocate(request).record], ["10.5.1.0/24", undefined]);
  assert.equal(makeView(snapshot, { node: "me", network }).own, undefined);
});
