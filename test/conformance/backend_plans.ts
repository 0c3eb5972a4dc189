/** The backend suite's cases about `plan` itself: pure, deterministic, total, marked, ordered. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type KernelObject, keyOf, LINK_ALIAS, ROUTE_PROTOCOL } from "../../kernel/state.ts";
import { isBarrier } from "../../kernel/relations.ts";
import type { Lease } from "../../lease/lease.ts";
import { familiesOf } from "../../lease/stack.ts";
import type { Plan } from "../../backends/backend.ts";
import type { BackendSuite } from "./stage.ts";

const order = [
  "link",
  "sysctl",
  "address",
  "wireguard-peer",
  "encap-socket",
  "xfrm-state",
  "xfrm-policy",
  "proxy",
  "proxy-route",
  "nexthop",
  "fdb",
  "neighbour",
  "route",
  "hook",
];

/** Registers the cases. Hostile leases stand among good ones, which must be planned all the same. */
export function purePlans(
  { name, backend, host, view }: Pick<BackendSuite, "name" | "backend" | "host" | "view">,
): void {
  const planOf = (leases: readonly Lease[], good: readonly number[] = []): Plan => {
    const base = view(good);
    return backend.plan({ ...base, peers: [...base.peers, ...leases] }, host);
  };

  Deno.test(`${name}: the same view gives the same plan, and is not changed by it`, () => {
    const frozen = deepFreeze(view([2, 3, 4]));
    assert.deepEqual(backend.plan(frozen, host), backend.plan(structuredClone(frozen), host));
  });

  Deno.test(`${name}: no lease, however hostile, makes the plan throw, go unmarked or out of order`, () => {
    fc.assert(fc.property(fc.array(hostileLease(view([2, 3, 4]).peers), { maxLength: 8 }), (leases) => {
      const plan = planOf(leases, [2]);
      wellFormed(plan);
      const halves = familiesOf(view([]).network).length;
      const known = plan.peers.length + plan.refused.length;
      // Of a dual-stack lease either half may be refused.
      assert.ok(known >= leases.length + 1 && known <= halves * (leases.length + 1), `${known}`);
    }));
  });

  Deno.test(`${name}: hostile leases neither hide nor change a good peer that stands before them`, () => {
    const good = backend.plan(view([2]), host);
    const wanted = good.objects.map(keyOf);
    fc.assert(fc.property(fc.array(hostileLease(view([3, 4]).peers), { maxLength: 8 }), (leases) => {
      const plan = planOf(leases, [2]);
      assert.deepEqual(plan.peers[0], good.peers[0]);
      const keys = new Set(plan.objects.map(keyOf));
      assert.deepEqual(wanted.filter((key) => !keys.has(key)), []);
    }));
  });

  Deno.test(`${name}: hostile options are refused by check, and planned as nothing or as usual`, () => {
    const keys = fc.constantFrom(
      "VNI",
      "vni",
      "Port",
      "MTU",
      "GBP",
      "Learning",
      "Mode",
      "DirectRouting",
      "CheckSource",
      "queues",
      "PSK",
      "ListenPort",
      "PersistentKeepaliveInterval",
      "RekeySeconds",
      "UDPEncap",
      "x",
    );
    fc.assert(fc.property(fc.dictionary(keys, fc.jsonValue()), (options) => {
      const base = view([2]);
      const network = { ...base.network, backendOptions: options as typeof base.network.backendOptions };
      const plan = backend.plan({ ...base, network }, host);
      wellFormed(plan);
      let refused = false;
      try {
        backend.check(network);
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, "invalid");
        refused = true;
      }
      assert.equal(plan.peers.length === 0, refused);
    }));
  });
}

function wellFormed({ objects, peers, refused }: Plan): void {
  assert.deepEqual(objects.filter((object) => !isMarked(object)), []);
  const keys = objects.map(keyOf);
  assert.equal(new Set(keys).size, keys.length, "two objects have one key");
  const ranks = objects.map((object) => isBarrier(object) ? -1 : order.indexOf(object.kind));
  assert.deepEqual(ranks, ranks.toSorted((a, b) => a - b));
  const known = new Set(keys);
  for (const peer of peers) {
    assert.deepEqual(peer.keys.filter((key) => !known.has(key)), [], "a peer needs what is not planned");
  }
  for (const { subnet, code, reason } of refused) {
    assert.match(code, /^[a-z-]+$/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(subnet + reason, /[\u0000-\u001f\u007f-\u009f]/);
    assert.ok(reason.length < 300);
  }
}

/** Ownership as the reconciler judges it: objects without a mark of their own live on a link that has one. */
function isMarked(object: KernelObject): boolean {
  if (object.kind === "link") return object.alias.startsWith(`${LINK_ALIAS} `);
  return "protocol" in object ? object.protocol === ROUTE_PROTOCOL : true;
}

/** A lease with some fields of a good one and others of anybody's making. */
function hostileLease(good: readonly Lease[]): fc.Arbitrary<Lease> {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("__proto__", "0.0.0.0/0", "::/0", "10.5.2.0/24", "10.5.2.0/33", "224.0.0.1", "\u001b[2J"),
    fc.ipV4(),
    fc.ipV6(),
  );
  const data = fc.oneof(
    fc.jsonValue(),
    fc.record({ VNI: fc.oneof(fc.integer(), fc.double()), VtepMAC: text }),
    fc.record({ PublicKey: text, Port: fc.oneof(fc.integer(), fc.double()) }),
    fc.record({ Nonce: text }),
    fc.constant(good[0]?.backendData),
  );
  return fc.tuple(
    fc.constantFrom(...good),
    fc.record({
      subnet: text,
      publicIp: text,
      backendType: text,
      backendData: data,
      node: text,
    }, { requiredKeys: [] }),
  ).map(([lease, change]) => ({ ...lease, ...change }) as Lease);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
