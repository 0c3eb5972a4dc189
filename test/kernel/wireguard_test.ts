/** WireGuard among the objects of a plan: its commands, what counts as drift, and how a way through it is explained. */
import assert from "node:assert/strict";
import { wireguard } from "../../backends/wireguard.ts";
import { toCommands } from "../../kernel/commands.ts";
import { drift } from "../../kernel/drift.ts";
import { explainWay } from "../../kernel/explain/explain.ts";
import { type KernelObject, keyOf, type Link, type Route, type WireguardPeer } from "../../kernel/state.ts";
import { keyText } from "../../net/wireguard_key.ts";
import { publicKey } from "../lib/fake_wireguard.ts";
import { wireguardHost, wireguardOwner, wireguardView } from "../lib/overlay.ts";

const PSK = keyText(new Uint8Array(32).fill(5));
const options = { PSK, PersistentKeepaliveInterval: 25 };
const plan = wireguard.plan(wireguardView([2], options), wireguardHost()).objects;
const [barrier, link, , peer] = plan as [Route, Link, KernelObject, WireguardPeer];
const key = '"${FLAN_STATE_DIR:-/var/lib/flan}/wireguard.key"';
const changesTo = (found: readonly KernelObject[]) =>
  drift(plan, found, wireguardOwner).changes.map(({ verb, object }) => `${verb} ${keyOf(object)}`);

Deno.test("wireguard commands: a join, word for word, each secret by where it is kept", () => {
  assert.deepEqual(toCommands(plan.map((object) => ({ verb: "add", object }))), [
    "ip route add unreachable 10.5.0.0/16 protocol 113 metric 4294967294",
    "ip link add flan-wg mtu 1440 type wireguard",
    "ip link set dev flan-wg addrgenmode none",
    "ip link set dev flan-wg alias 'flan 3f2a'",
    "ip link set dev flan-wg up",
    `wg set flan-wg listen-port 51820 private-key ${key}`,
    "ip address add 10.5.1.0/32 dev flan-wg",
    `wg set flan-wg peer ${publicKey(2)} preshared-key <(flan config get --reveal Backend.PSK) ` +
    "endpoint '192.0.2.2:51820' persistent-keepalive 25 allowed-ips 10.5.2.0/24",
    "ip route add 10.5.0.0/16 dev flan-wg protocol 113",
  ]);
});

Deno.test("wireguard commands: the device for IPv6 has its own key", () => {
  const six: Link = { ...link, name: "flan-wg-v6" };
  assert.equal(
    toCommands([{ verb: "add", object: six }]).at(-1),
    `wg set flan-wg-v6 listen-port 51820 private-key ${key.replace(".key", "-v6.key")}`,
  );
});

Deno.test("wireguard commands: what changes, in place, and what goes", () => {
  const other = { ...link, wireguard: { listenPort: 4000, publicKey: publicKey(1) } };
  assert.deepEqual(toCommands([{ verb: "replace", object: link }], [other]), [
    `wg set flan-wg listen-port 51820 private-key ${key}`,
  ]);
  assert.deepEqual(toCommands([{ verb: "replace", object: link }], [{ ...link, mtu: 1300 }]), [
    "ip link set dev flan-wg mtu 1440",
  ]);
  const plain = { ...peer, presharedKey: "", keepalive: 0, endpoint: "" };
  assert.deepEqual(
    toCommands([
      { verb: "replace", object: plain },
      { verb: "delete", object: peer },
      { verb: "delete", object: link },
    ]),
    [
      `wg set flan-wg peer ${
        publicKey(2)
      } preshared-key /dev/null persistent-keepalive 0 allowed-ips 10.5.2.0/24`,
      `wg set flan-wg peer ${publicKey(2)} remove`,
      "ip link delete dev flan-wg",
    ],
  );
});

Deno.test("wireguard drift: a device that gives no answer is made anew with all that is on it, behind the barrier", () => {
  const { wireguard: _, ...mute } = link;
  assert.deepEqual(changesTo([mute, ...plan.slice(2)]), [
    `add ${keyOf(barrier)}`,
    "delete link flan-wg",
    ...plan.slice(1).map((object) => `add ${keyOf(object)}`),
  ]);
});

Deno.test("wireguard drift: the barrier is there before the device, goes after it, and stays while it is gone", () => {
  const added = plan.map((object) => `add ${keyOf(object)}`);
  assert.equal(added[0], `add ${keyOf(barrier)}`);
  assert.deepEqual(changesTo([]), added);
  assert.deepEqual(changesTo([barrier]), added.slice(1));
  const gone = drift([], plan, wireguardOwner).changes.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
  assert.deepEqual(gone, [`delete ${keyOf(link)}`, `delete ${keyOf(barrier)}`]);
});

const away = "198.51.100.7:40000";

for (
  const [what, seen, isDrift] of [
    ["is as wanted", {}, false],
    ["was heard from elsewhere", { endpoint: away, handshakeAge: 179 }, false],
    ["was heard from elsewhere too long ago", { endpoint: away, handshakeAge: 180 }, true],
    ["was never heard from where it is sent to", { endpoint: away }, true],
    ["was heard from where it was told to be, and that is another place now", {
      endpoint: away,
      told: away,
      handshakeAge: 1,
    }, true],
    ["was heard from elsewhere than it was told, as now", {
      endpoint: away,
      told: peer.endpoint,
      handshakeAge: 1,
    }, false],
    ["may send from another subnet", { allowedIps: ["10.5.9.0/24"], handshakeAge: 1 }, true],
    ["has no pre-shared key", { presharedKey: "", handshakeAge: 1 }, true],
  ] as const
) {
  Deno.test(`wireguard drift: a peer that ${what} is ${isDrift ? "changed" : "left"}`, () => {
    const found = plan.map((object) => object === peer ? { ...peer, ...seen } : object);
    assert.deepEqual(changesTo(found), isDrift ? [`replace ${keyOf(peer)}`] : []);
  });
}

Deno.test("wireguard explained: route, then the peer with its latest handshake, then the underlay", () => {
  const actual = plan.map((object) => object === peer ? { ...peer, handshakeAge: 12 } : object);
  const route = plan.at(-1)!;
  assert.ok(route.kind === "route");
  const underlay: Link = {
    kind: "link",
    name: "eth0",
    type: "",
    alias: "",
    mac: "02:00:00:00:00:01",
    mtu: 1500,
    up: true,
  };
  const way = { match: { route, table: 254 } };
  const steps = explainWay({
    ip: "10.5.2.1",
    wanted: plan.filter((object) => object !== barrier),
    ...drift(plan, actual, wireguardOwner),
    actual: [...actual, underlay],
    lookup: way,
    mtu: 0,
    isAnswered: false,
    start: "flan up --detach --mtu 1400",
    source: undefined,
    underlay: {
      remote: "192.0.2.2",
      link: "eth0",
      query: {},
      lookup: { match: { route: { ...route, link: "eth0" }, table: 254 } },
      mtu: 0,
      neighbour: undefined,
    },
    returns: [],
  });
  assert.deepEqual(steps.map(({ what, state }) => `${what} ${state}`), [
    "link ok",
    "address ok",
    "route ok",
    "wireguard-peer ok",
    "underlay ok",
    "size ok",
  ]);
  const [, , , hop, , size] = steps;
  assert.equal(
    hop?.text,
    `${publicKey(2)} at 192.0.2.2:51820 dev flan-wg, allowed 10.5.2.0/24, latest handshake 12 s ago`,
  );
  assert.equal(hop?.prove, "wg show flan-wg");
  assert.equal(size?.text, "1440 + 60 = 1500 <= 1500");
});
