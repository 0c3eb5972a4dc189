/** The ipsec plan: what stands in it, who is a peer, what is announced, and that no secret is in any of it. */
import assert from "node:assert/strict";
import { ipsec } from "../../backends/ipsec.ts";
import { toCommands } from "../../kernel/commands.ts";
import { barrierFor } from "../../backends/network_route.ts";
import {
  aliasOf,
  describe,
  type KernelObject,
  keyOf,
  type XfrmPolicy,
  type XfrmState,
} from "../../kernel/state.ts";
import { xfrmMark } from "../../kernel/xfrm.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { deriveKey } from "../../net/ipsec_key.ts";
import {
  config,
  host,
  ipsecHost,
  ipsecLease,
  ipsecView,
  lease,
  NODE,
  nonceOf,
  PRESHARED_KEY,
} from "../lib/overlay.ts";

const EPOCH = 20_000;
const mark = xfrmMark(aliasOf(NODE));

function statesOf(objects: readonly KernelObject[]): readonly XfrmState[] {
  return objects.filter((object) => object.kind === "xfrm-state");
}

function policiesOf(objects: readonly KernelObject[]): readonly XfrmPolicy[] {
  return objects.filter((object) => object.kind === "xfrm-policy");
}

/** The plan of host `n` of two. */
function planOf(n: number, { epoch = EPOCH, nonce = nonceOf(n) } = {}) {
  const other = 3 - n;
  const view = { ...ipsecView([other]), own: ipsecLease(n) };
  const { underlay } = host();
  const address = `192.0.2.${n}`;
  const ipsecs = { nonce, epoch };
  const facts = ipsecHost({
    node: `node${n}`,
    publicIp: address,
    underlay: { ...underlay, address },
    ipsec: ipsecs,
  });
  return ipsec.plan(view, facts).objects;
}

Deno.test("ipsec: one device that takes the whole network, a barrier behind it, and nothing in clear let in", () => {
  const { objects, peers, refused } = ipsec.plan(ipsecView([2]), ipsecHost());
  const [barrier, link, address] = objects;
  assert.deepEqual([barrier!.kind, barrier!.kind === "route" && barrier.type], ["route", "unreachable"]);
  assert.deepEqual(link, {
    kind: "link",
    name: "flan.ipsec",
    type: "xfrm",
    alias: `flan ${NODE}`,
    mac: "",
    mtu: 1446,
    up: true,
    xfrm: { interfaceId: mark },
  });
  assert.deepEqual(address, { kind: "address", link: "flan.ipsec", address: "10.5.1.0/32" });
  const shown = policiesOf(objects).map(({ direction, source, destination, priority, action, interfaceId }) =>
    [direction, source, destination, priority, action, interfaceId === 0 ? "any" : "device"].join(" ")
  );
  assert.deepEqual(shown, [
    "out 10.5.1.0/24 10.5.2.0/24 1000 tunnel device",
    "in 10.5.2.0/24 10.5.1.0/24 1000 tunnel device",
    "fwd 10.5.2.0/24 10.5.1.0/24 1000 tunnel device",
    "in 10.5.1.0/24 10.5.1.0/24 500 pass any",
    "fwd 10.5.1.0/24 10.5.1.0/24 500 pass any",
    "in 10.5.0.0/16 10.5.1.0/24 2000 block any",
    "fwd 10.5.0.0/16 10.5.1.0/24 2000 block any",
  ]);
  assert.deepEqual(objects.at(-1)!.kind, "route");
  assert.equal(peers[0]!.keys.length, 4 + 3 + 1);
  assert.deepEqual(refused, []);
});

Deno.test("ipsec: what one host sends by, the other one takes in, also an epoch before and after", () => {
  const [sent] = statesOf(planOf(1)).filter(({ source }) => source === "192.0.2.1");
  for (const epoch of [EPOCH - 1, EPOCH, EPOCH + 1]) {
    const taken = statesOf(planOf(2, { epoch })).filter(({ source }) => source === "192.0.2.1");
    assert.equal(taken.length, 3);
    const found = taken.find(({ spi }) => spi === sent!.spi)!;
    assert.deepEqual([found.key, found.destination], [sent!.key, "192.0.2.2"], `${epoch - EPOCH}`);
  }
  const far = statesOf(planOf(2, { epoch: EPOCH + 2 })).map(({ key }) => key);
  assert.ok(!far.includes(sent!.key));
});

Deno.test("ipsec: a new epoch makes one state a direction and takes one away, and touches no policy", () => {
  const [before, after] = [planOf(1), planOf(1, { epoch: EPOCH + 1 })];
  const keys = (objects: readonly KernelObject[]) => statesOf(objects).map(({ key }) => key);
  assert.equal(keys(after).filter((key) => !keys(before).includes(key)).length, 2);
  assert.deepEqual(policiesOf(after), policiesOf(before));
  const indices = [before, after].flatMap((objects) =>
    statesOf(objects).map(({ destination, spi }) => `${destination} ${spi}`)
  );
  assert.equal(new Set(indices).size, 6, "those that stay have the index that they had");
});

Deno.test("ipsec: another nonce of either end changes every key, and each direction has its own", () => {
  const all = [
    ...statesOf(planOf(1)),
    ...statesOf(planOf(1, { nonce: nonceOf(77) })),
    ...statesOf(ipsec.plan(ipsecView([ipsecLease(2, { nonce: nonceOf(78) })]), ipsecHost()).objects),
  ];
  assert.equal(new Set(all.map(({ key }) => key)).size, 12);
});

Deno.test("ipsec: the key is the one that its derivation names, and stands nowhere", () => {
  const { objects } = ipsec.plan(ipsecView([2]), ipsecHost());
  const secret = new TextEncoder().encode(PRESHARED_KEY);
  const everything = JSON.stringify([
    objects,
    objects.map(describe),
    toCommands(objects.map((object) => ({ verb: "add", object }))),
  ]);
  for (const { key, derivation } of statesOf(objects)) {
    const { presharedKey, ...recipe } = derivation!;
    const made = deriveKey(secret, recipe);
    assert.deepEqual([key, presharedKey], [fingerprint(made), fingerprint(secret)]);
    assert.ok(!everything.includes(made.toHex()) && !everything.includes(made.toBase64()));
  }
  assert.ok(!everything.includes(PRESHARED_KEY));
  assert.deepEqual([...ipsec.secrets!(config({ PSK: PRESHARED_KEY }, "ipsec")).keys()], [
    fingerprint(secret),
  ]);
});

Deno.test("ipsec: a host without a nonce has policies and no states", () => {
  const { objects } = ipsec.plan(ipsecView([2]), host({ mac: "" }));
  assert.equal(statesOf(objects).length, 0);
  assert.equal(policiesOf(objects).length, 7);
});

const refusals: [name: string, lease: Parameters<typeof ipsecLease>[1], code: string, reason: RegExp][] = [
  ["flannel's", { backendData: undefined }, "bad-backend-data", /flannel's hosts use IKE/],
  ["one with half a nonce", { nonce: "12" }, "bad-backend-data", /is not 32 hex digits/],
  ["one of another backend", { backendType: "vxlan" }, "other-backend", /its backend is "vxlan"/],
  ["one with this host's address", { publicIp: "192.0.2.1" }, "duplicate-endpoint", /this host's own/],
  [
    "one with another peer's address",
    { publicIp: "192.0.2.2" },
    "duplicate-endpoint",
    /belongs to 10\.5\.2\.0\/24/,
  ],
  [
    "one with a subnet of another network",
    { subnet: "10.9.3.0/24" },
    "bad-subnet",
    /none|not one of the network/,
  ],
];

for (const [name, change, code, reason] of refusals) {
  Deno.test(`ipsec: ${name} is no peer, and hides none`, () => {
    const { peers, refused } = ipsec.plan(ipsecView([2, ipsecLease(3, change)]), ipsecHost());
    assert.deepEqual(peers.map(({ lease }) => lease.subnet), ["10.5.2.0/24"]);
    assert.deepEqual(refused.map((one) => one.code), [code]);
    assert.match(refused[0]!.reason, reason);
  });
}

const configs: [name: string, options: Parameters<typeof config>[0], reason: RegExp][] = [
  ["without a PSK", {}, /PSK is missing/],
  [
    "with a PSK that is too short",
    { PSK: "x".repeat(95) },
    /PSK cannot be used: a text of at least 96 characters/,
  ],
  [
    "with an UDPEncap of another kind",
    { PSK: PRESHARED_KEY, UDPEncap: 4500 },
    /UDPEncap is 4500 but true or false/,
  ],
  ["with epochs of a second", { PSK: PRESHARED_KEY, RekeySeconds: 1 }, /RekeySeconds is 1 but 10 to/],
];

for (const [name, options, reason] of configs) {
  Deno.test(`ipsec: a network ${name} is refused, and no refusal tells a secret`, () => {
    assert.throws(() => ipsec.check(config(options, "ipsec")), (error: Error) => {
      assert.match(error.message, reason);
      return !error.message.includes("xxxx");
    });
    const view = { ...ipsecView([2]), network: config(options, "ipsec") };
    assert.deepEqual(ipsec.plan(view, ipsecHost()).objects, [barrierFor("10.5.0.0/16")]);
  });
}

Deno.test("ipsec: hosts keep all that they have while the network's SubnetLen changes", () => {
  const before = ipsecView([2, 3]);
  const after = { ...before, network: { ...before.network, subnetLength: 25 } };
  assert.deepEqual(ipsec.plan(after, ipsecHost()), ipsec.plan(before, ipsecHost()));
  const { own } = before;
  const moved = { ...after, own: { ...own!, subnet: "10.5.1.128/25" } };
  const indices = statesOf(ipsec.plan(moved, ipsecHost()).objects).map(({ spi }) => spi);
  assert.equal(
    new Set(indices).size,
    4 * 2 - 1,
    "those that go out have one index, those that come in one each",
  );
});

Deno.test("ipsec: flannel's proposal is ignored with a sentence, and IPv6 is refused with one", () => {
  const usual = config({ PSK: PRESHARED_KEY, ESPProposal: "aes128gcm16" }, "ipsec");
  assert.match(ipsec.check(usual)[0]!, /ESPProposal is ignored: packets are encrypted with AES-128-GCM-16/);
  const network = { family: 6, address: 0xfd00n << 112n, length: 48 } as const;
  assert.throws(() => ipsec.check({ ...usual, network }), /it carries IPv4 only/);
});

Deno.test("ipsec: a lease announces the nonce, and the MTU leaves room for padding", () => {
  const network = config({ PSK: PRESHARED_KEY }, "ipsec");
  assert.deepEqual(ipsec.announce(network, ipsecHost()), {
    backendType: "ipsec",
    backendData: { Nonce: nonceOf(1) },
  });
  const mtus = [1500, 1499, 1498, 1497, 9000].map((mtu) =>
    ipsec.mtu(network, ipsecHost({ underlay: { ...host().underlay, mtu } }))
  );
  assert.deepEqual(mtus, [1446, 1442, 1442, 1442, 8946]);
});

Deno.test("ipsec: this host's own subnet must be one of the network's", () => {
  const view = { ...ipsecView([2]), own: lease(1, { backendType: "ipsec", subnet: "10.9.1.0/24" }) };
  const { objects, refused } = ipsec.plan(view, ipsecHost());
  assert.deepEqual(
    [objects, refused.length],
    [[barrierFor("10.5.0.0/16")], 2],
    "and nothing of it goes in clear",
  );
});

Deno.test("ipsec: with UDPEncap each state is for UDP, a socket is there that each peer needs, and policies are as ever", () => {
  const plan = ipsec.plan(ipsecView([2, 3], { UDPEncap: true }), ipsecHost());
  const bare = ipsec.plan(ipsecView([2, 3]), ipsecHost());
  const socket: KernelObject = { kind: "encap-socket", port: 4500 };
  assert.deepEqual(plan.objects.filter(({ kind }) => kind === "encap-socket"), [socket]);
  assert.deepEqual(
    statesOf(plan.objects),
    statesOf(bare.objects).map((one) => ({ ...one, encapPort: 4500 })),
  );
  assert.deepEqual(policiesOf(plan.objects), policiesOf(bare.objects));
  for (const { keys } of plan.peers) assert.ok(keys.includes(keyOf(socket)));
  assert.ok(!bare.objects.some(({ kind }) => kind === "encap-socket"));
});

Deno.test("ipsec: UDP takes 8 bytes of the MTU, and both ends must have it alike", () => {
  const network = (UDPEncap: boolean) => config({ PSK: PRESHARED_KEY, UDPEncap }, "ipsec");
  const mtus = [1500, 1499, 1498, 1497, 9000].map((mtu) =>
    ipsec.mtu(network(true), ipsecHost({ underlay: { ...host().underlay, mtu } }))
  );
  assert.deepEqual(mtus, [1438, 1434, 1434, 1434, 8938]);
  const { objects } = ipsec.plan(ipsecView([], { UDPEncap: true }), ipsecHost());
  assert.equal(objects.find((one) => one.kind === "link")?.mtu, 1438);
  const said = [false, true].map((one) => ipsec.agreed(network(one)).UDPEncap);
  assert.deepEqual(said, [false, true]);
});
