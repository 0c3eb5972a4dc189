/** An observation of a dual-stack network, family by family: for rows, explanations and repairs. */
import assert from "node:assert/strict";
import { dualStack } from "../../backends/dual.ts";
import type { Backend, Host } from "../../backends/backend.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { halfIn, halvesOf } from "../../cmd/halves.ts";
import type { Observed } from "../../cmd/observe.ts";
import { rowsOf } from "../../cmd/route_rows.ts";
import { drift } from "../../kernel/drift.ts";
import { familyOfObject } from "../../kernel/relations.ts";
import { keyOf } from "../../kernel/state.ts";
import type { View } from "../../lease/view.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import { lease, NODE, owner, view, wireguardView } from "../lib/overlay.ts";
import { dualHost, dualLease, dualOwner, dualView, ipv6Host, ipv6View } from "../lib/stacks.ts";

const both = dualStack(vxlan);

/** What host 1 sees of peers 2 and 3, of which 3 has a half that the backend cannot use, and of 4 without one. */
function observed({ gone = [] as readonly string[], of = view([2]) } = {}): Observed {
  const bad = { ...dualLease(lease(3)), backendV6Data: "none" };
  const seen = { ...dualView(of), peers: [...dualView(of).peers, bad, lease(4)] };
  return observedBy(both, { seen, host: dualHost(), gone });
}

function observedBy(
  backend: Backend,
  { seen, host, gone = [] }: { seen: View; host: Host; gone?: readonly string[] },
): Observed {
  const plan = backend.plan(seen, host);
  const actual = plan.objects.filter((object) => !gone.includes(keyOf(object)));
  const network = {
    config: seen.network,
    backend,
    devices: backend.devices(seen.network),
    ignored: [],
  };
  return {
    ...network,
    moving: { ...network, planes: [network] },
    snapshot: { revision: 1, config: undefined, records: [], past: [] },
    node: NODE,
    host,
    view: seen,
    plan,
    actual,
    drift: drift(plan.objects, actual, dualOwner(owner)),
    overridden: [],
    trouble: undefined,
    expired: new Set(["10.5.2.0/24"]),
  };
}

Deno.test("halves: each is the plan of a network of that family alone", () => {
  const six = halfIn(observed(), 6)!;
  const alone = vxlan.plan(ipv6View(view([2])), ipv6Host());
  assert.deepEqual(six.plan.objects, alone.objects);
  assert.deepEqual(six.plan.peers, alone.peers);
  assert.deepEqual(six.plan.refused.map(({ subnet }) => subnet), ["fd00:5:0:3::/64"]);
  assert.deepEqual([six.devices, six.host.publicIp, six.view.own?.subnet], [
    ["flan-v6.1"],
    "2001:db8::1",
    "fd00:5:0:1::/64",
  ]);
  assert.deepEqual([...six.expired], ["fd00:5:0:2::/64"]);
  const four = halfIn(observed(), 4)!;
  assert.deepEqual(four.plan.peers.map(({ lease }) => lease.subnet), [
    "10.5.2.0/24",
    "10.5.3.0/24",
    "10.5.4.0/24",
  ]);
  assert.deepEqual(four.plan.refused, []);
});

Deno.test("halves: a network of one family is one half, itself", () => {
  const seen = observed();
  const one = { ...seen, config: view([]).network };
  assert.deepEqual([halvesOf(one), halfIn(one, 6)], [[one], undefined]);
});

Deno.test("routes: each half of a lease has a row of its own, by its own way and in its own state", () => {
  const gone = ["route fd00:5:0:2::/64 metric 1024"];
  const rows = rowsOf(observed({ gone })).map(({ subnet, via, dev, kind, state, note }) => [
    subnet,
    via,
    dev,
    kind,
    state,
    note?.split(":")[0],
  ]);
  assert.deepEqual(rows, [
    ["10.5.1.0/24", undefined, undefined, "local", "local", undefined],
    ["10.5.2.0/24", "192.0.2.2", "flan.1", "vxlan", "ok", "expired"],
    ["10.5.3.0/24", "192.0.2.3", "flan.1", "vxlan", "ok", undefined],
    ["10.5.4.0/24", "192.0.2.4", "flan.1", "vxlan", "ok", undefined],
    ["fd00:5:0:1::/64", undefined, undefined, "local", "local", undefined],
    ["fd00:5:0:2::/64", "2001:db8::2", "flan-v6.1", "vxlan", "missing", "expired,route"],
    ["fd00:5:0:3::/64", undefined, undefined, "refused", "refused", "bad-backend-data"],
  ]);
});

Deno.test("routes: a host without an IPv6 half has no way to anybody's, and does not say that it had", () => {
  const { subnet6: _, publicIp6: __, backendV6Data: ___, ...own } = dualView(view([])).own!;
  const networks = [[both, view([2]), dualHost()], [
    wireguard,
    wireguardView([2], { Mode: "ipv4" }),
    dualHost({
      mac: "",
      publicKey: publicKey(1),
    }),
  ]] as const;
  for (const [backend, of, host] of networks) {
    const rows = rowsOf(observedBy(backend, { seen: { ...dualView(of), own }, host }));
    assert.deepEqual(rows.map(({ subnet }) => subnet), ["10.5.1.0/24", "10.5.2.0/24"]);
  }
});

Deno.test("routes: where one device carries both families, each half is sent to the one address, and lacks its own route", () => {
  const seen = dualView(wireguardView([2], { Mode: "ipv6" }));
  const host = dualHost({ mac: "", publicKey: publicKey(1) });
  const rows = (gone: readonly string[]) =>
    rowsOf({ ...observedBy(wireguard, { seen, host, gone }), expired: new Set() }).filter(({ kind }) =>
      kind !== "local"
    )
      .map(({ subnet, via, dev, state, note }) => [subnet, via, dev, state, note]);
  assert.deepEqual(rows([]), [
    ["10.5.2.0/24", "2001:db8::2", "flan-wg", "ok", undefined],
    ["fd00:5:0:2::/64", "2001:db8::2", "flan-wg", "ok", undefined],
  ]);
  assert.deepEqual(rows(["route fd00:5::/48 metric 1024"]).map(([, , , state, note]) => [state, note]), [
    ["ok", undefined],
    ["missing", "route"],
  ]);
  assert.deepEqual(rows([`wireguard-peer ${publicKey(2)} dev flan-wg`]).map(([, , , state]) => state), [
    "missing",
    "missing",
  ]);
  const six = halfIn(observedBy(wireguard, { seen, host }), 6)!;
  assert.deepEqual(six.devices, ["flan-wg"]);
});

Deno.test("halves: a WireGuard peer is of the family of what it may send, and of both where that is both", () => {
  const peer = {
    kind: "wireguard-peer",
    link: "flan-wg",
    publicKey: "k",
    endpoint: "192.0.2.2:51820",
    keepalive: 0,
    presharedKey: "",
  } as const;
  const families = [["10.5.2.0/24"], ["fd00:5:0:2::/64"], ["10.5.2.0/24", "fd00:5:0:2::/64"], []]
    .map((allowedIps) => familyOfObject({ ...peer, allowedIps }));
  assert.deepEqual(families, [4, 6, undefined, undefined]);
});
