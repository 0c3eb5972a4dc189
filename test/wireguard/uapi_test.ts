/** The text of a user-space WireGuard: what is told, what is understood, and that nothing else is. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fingerprint } from "../../net/fingerprint.ts";
import { keyText } from "../../net/wireguard_key.ts";
import { errnoIn, parseDevice, setRequest } from "../../wireguard/uapi.ts";

const key = (n: number) => new Uint8Array(32).fill(n);
const hex = (n: number) => n.toString(16).padStart(2, "0").repeat(32);

Deno.test("uapi: a change is told in wireguard's own words, the device before its peers", () => {
  const peer = {
    publicKey: keyText(key(2)),
    endpoint: "192.0.2.2:51820",
    allowedIps: ["10.5.2.0/24", "fd00:5:0:2::/64"],
    keepalive: 25,
    presharedKey: key(9),
  };
  assert.equal(
    setRequest({ privateKey: key(1), listenPort: 51820, peers: [peer] }),
    [
      "set=1",
      `private_key=${hex(1)}`,
      "listen_port=51820",
      `public_key=${hex(2)}`,
      `preshared_key=${hex(9)}`,
      "endpoint=192.0.2.2:51820",
      "persistent_keepalive_interval=25",
      "replace_allowed_ips=true",
      "allowed_ip=10.5.2.0/24",
      "allowed_ip=fd00:5:0:2::/64",
      "",
      "",
    ].join("\n"),
  );
});

Deno.test("uapi: an endpoint that is left out stays, a pre-shared key that is left out goes", () => {
  const peer = { publicKey: keyText(key(2)), allowedIps: [], keepalive: 0, presharedKey: undefined };
  const told = setRequest({ peers: [peer] });
  assert.ok(!told.includes("endpoint"));
  assert.ok(told.includes(`preshared_key=${hex(0)}\n`));
  assert.ok(!told.includes("private_key") && !told.includes("listen_port"));
});

Deno.test("uapi: a peer is removed by its key, and what is no key is never sent", () => {
  const gone = { allowedIps: [], keepalive: 0, presharedKey: undefined, remove: true } as const;
  assert.equal(
    setRequest({ peers: [{ ...gone, publicKey: keyText(key(2)) }] }),
    `set=1\npublic_key=${hex(2)}\nremove=true\n\n`,
  );
  assert.throws(() => setRequest({ peers: [{ ...gone, publicKey: "x\nprivate_key=" }] }), TypeError);
});

Deno.test("uapi: a device is understood, keys as what stands for them, lines that nobody knows skipped", () => {
  const answer = [
    `private_key=${hex(1)}`,
    "listen_port=51820",
    "future=1",
    `public_key=${hex(2)}`,
    `preshared_key=${hex(9)}`,
    "endpoint=[2001:db8::2]:51820",
    "last_handshake_time_sec=1700000000",
    "last_handshake_time_nsec=5",
    "tx_bytes=1",
    "persistent_keepalive_interval=25",
    "allowed_ip=fd00:5:0:2::/64",
    "allowed_ip=10.5.2.0/24",
    `public_key=${hex(3)}`,
    `preshared_key=${hex(0)}`,
    "protocol_version=1",
    "errno=0",
    "",
    "",
  ].join("\n");
  const { privateKey, ...device } = parseDevice(answer);
  assert.deepEqual(privateKey, key(1));
  assert.deepEqual(device, {
    listenPort: 51820,
    peers: [{
      publicKey: keyText(key(2)),
      endpoint: "[2001:db8::2]:51820",
      allowedIps: ["10.5.2.0/24", "fd00:5:0:2::/64"],
      keepalive: 25,
      presharedKey: fingerprint(key(9)),
      handshake: 1700000000,
    }, {
      publicKey: keyText(key(3)),
      endpoint: "",
      allowedIps: [],
      keepalive: 0,
      presharedKey: "",
      handshake: 0,
    }],
  });
  assert.equal(errnoIn(answer), 0);
});

Deno.test("uapi: a device that is new has neither key nor port", () => {
  assert.deepEqual(parseDevice("errno=0\n\n"), { privateKey: undefined, listenPort: 0, peers: [] });
  assert.deepEqual(parseDevice(`private_key=${hex(0)}\nerrno=0\n\n`).privateKey, undefined);
});

Deno.test("uapi: a refusal is a number, of either sign", () => {
  assert.equal(errnoIn("errno=-98\n\n"), 98);
  assert.equal(errnoIn("errno=98\n\n"), 98);
  assert.throws(() => errnoIn("errno=\n\n"), TypeError);
  assert.throws(() => errnoIn("\n\n"), TypeError);
});

Deno.test("uapi: a key in the place of a prefix is refused, and not shown", () => {
  const answer = `public_key=${hex(1)}\nallowed_ip=${hex(1)}`;
  assert.throws(() => parseDevice(answer), { name: "TypeError", message: "a prefix is none" });
});

Deno.test("uapi: whatever an answer says, it is understood or refused, and no key of it is in the refusal", () => {
  const line = fc.tuple(
    fc.constantFrom(
      "private_key",
      "public_key",
      "preshared_key",
      "allowed_ip",
      "endpoint",
      "listen_port",
      "x",
    ),
    fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(hex(1), "10.5.2.0/24", "99999999999999999999")),
  ).map(([name, value]) => `${name}=${value}`);
  fc.assert(fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
    try {
      parseDevice(lines.join("\n"));
    } catch (error) {
      assert.ok(error instanceof Error && !error.message.includes(hex(1)), String(error));
    }
  }));
});
