/** Which options another backend of a network has, and what is told of those that it has not. */
import assert from "node:assert/strict";
import { forgottenNotes, optionNotes, wholeBackend } from "../../cmd/backend_change.ts";
import { requireEncryption } from "../../cmd/lost_encryption.ts";
import { type NetworkConfig, parseNetworkConfig } from "../../lease/network.ts";
import type { Json } from "../../net/json.ts";
import { FakeClock } from "../lib/fake_clock.ts";

type Options = { readonly [key: string]: Json };

const PSK = "x".repeat(96);
const clock = new FakeClock();
const wireguard = { Type: "wireguard", PSK, ListenPort: 4000 };
const hostGw = { Type: "host-gw" };

function network(Backend: Options, ...FormerBackends: Options[]): NetworkConfig {
  return parseNetworkConfig({ Network: "10.5.0.0/16", Backend, FormerBackends });
}

Deno.test("a backend that the network had before has its options again, the latest, and another has none", () => {
  const before = network(hostGw, wireguard, { Type: "vxlan", VNI: 7 }, { Type: "vxlan", VNI: 8 });
  assert.deepEqual(wholeBackend("WireGuard", { before, clock }), { ...wireguard, Type: "WireGuard" });
  assert.deepEqual(wholeBackend("vxlan", { before, clock }), { Type: "vxlan", VNI: 7 });
  assert.deepEqual(wholeBackend("udp", { before, clock }), { Type: "udp" });
  assert.deepEqual(wholeBackend("host-gw", { before, clock }), hostGw);
});

Deno.test("the same backend as a whole has none of its options, whatever it had before", () => {
  const before = network({ Type: "vxlan", VNI: 7 }, { Type: "vxlan", VNI: 8 });
  assert.deepEqual(wholeBackend("vxlan", { before, clock }), { Type: "vxlan" });
});

Deno.test("ipsec has the secret that it had before, or where nothing remembers one, one of its own", () => {
  const secret = (...former: Options[]) =>
    wholeBackend("ipsec", { before: network(hostGw, ...former), clock })["PSK"] as string;
  assert.equal(secret({ Type: "ipsec", PSK }), PSK);
  for (const former of [[], [{ Type: "ipsec", RekeySeconds: 60 }]]) {
    assert.equal(secret(...former).length, 128);
  }
});

Deno.test("options that are left behind are told by name, with the way back to them where there is one", () => {
  const kept = optionNotes(network(wireguard), network(hostGw, wireguard));
  assert.deepEqual(kept, [
    "Backend wireguard is left with its PSK, ListenPort; flan config set backend wireguard takes them up again while " +
    "FormerBackends has it",
  ]);
  const lost = optionNotes(network({ Type: "extension", ShutdownCommand: "true" }), network(hostGw));
  assert.deepEqual(lost, ["Backend extension is left with its ShutdownCommand"]);
  assert.deepEqual(optionNotes(network(wireguard), network({ Type: "wireguard", listenport: 5000 })), [
    "Backend wireguard has its PSK no more",
  ]);
  const port = optionNotes(network({ Type: "vxlan", Port: 9 }), network({ Type: "udp", Port: 10 }));
  assert.deepEqual(port, ["Backend vxlan is left with its Port"], "which is another port");
  assert.deepEqual(optionNotes(network(hostGw), network({ Type: "udp" })), []);
});

Deno.test("options that are taken up again are told by name, and so are those that are not", () => {
  const before = network(hostGw, wireguard);
  const notes = (after: Options) => optionNotes(before, network(after, hostGw));
  assert.deepEqual(notes(wireguard), ["Backend wireguard has again the PSK, ListenPort that it had before"]);
  assert.deepEqual(notes({ Type: "wireguard", psk: PSK, ListenPort: 5000 }), [
    "Backend wireguard has again the PSK that it had before",
    "Backend wireguard does not have the ListenPort that it had before",
  ]);
  assert.deepEqual(notes({ Type: "wireguard" }), [
    "Backend wireguard does not have the PSK, ListenPort that it had before",
  ]);
});

Deno.test("a former backend that the config remembers no more is told with its options", () => {
  const before = network(hostGw, wireguard, { Type: "udp" });
  assert.deepEqual(forgottenNotes(before, network({ Type: "vxlan" }, hostGw)), [
    "Former backend wireguard is forgotten with its PSK, ListenPort",
  ]);
  assert.deepEqual(forgottenNotes(before, network({ Type: "vxlan" }, hostGw, wireguard)), []);
  assert.deepEqual(forgottenNotes(before, network(wireguard)), []);
});

Deno.test("from a backend that encrypts to one that does not is refused, and nothing else is", () => {
  const [ipsec, udp, tomorrow] = [{ Type: "ipsec", PSK }, { Type: "udp" }, { Type: "of-tomorrow" }];
  const change = (before: Options, after: Options) => () =>
    requireEncryption("backend to x", { before: network(before), after: network(after) });
  for (const after of [udp, hostGw, tomorrow]) {
    assert.throws(
      change(wireguard, after),
      /^FlanError: Cannot set backend to x: the network is encrypted by wireguard/,
    );
  }
  assert.throws(change(ipsec, udp), /is encrypted by ipsec, and backend udp carries its packets in clear$/);
  for (const [before, after] of [[wireguard, ipsec], [udp, hostGw], [udp, wireguard], [tomorrow, udp]]) {
    change(before!, after!)();
  }
});
