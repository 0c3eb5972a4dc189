/** WireGuard in generic netlink, byte by byte as linux/wireguard.h has it. */
import assert from "node:assert/strict";
import { fingerprint } from "../../../net/fingerprint.ts";
import { keyText } from "../../../net/wireguard_key.ts";
import { DeviceReader, encodeDeviceSet, encodePeerSet } from "../../../ffi/genetlink/wireguard.ts";
import { decodeFamily, encodeFamilyGet } from "../../../ffi/genetlink/family.ts";
import { libnl } from "../../../ffi/libnl.ts";
import { MessageBuilder } from "../../../ffi/message_builder.ts";
import { MessageParser } from "../../../ffi/message_parser.ts";

// Opened once and kept: not a leak of whichever test comes first.
libnl();

const key = (n: number) => new Uint8Array(32).fill(n);
const NESTED = 0x8000;

/** struct nlattr { u16 len, type; }, the value, padding to four bytes. */
function attribute(type: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((4 + value.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + value.length, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const u16 = (value: number) => Uint8Array.of(value & 255, value >> 8);
const u32 = (value: number) => Uint8Array.of(value & 255, (value >> 8) & 255, 0, 0);
const nest = (type: number, ...inside: readonly Uint8Array[]) => attribute(type | NESTED, joined(...inside));
const text = (value: string) => new TextEncoder().encode(`${value}\0`);

/** struct nlmsghdr and struct genlmsghdr before it. */
function message(
  type: number,
  command: number,
  ...attributes: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const body = joined(Uint8Array.of(command, 1, 0, 0), ...attributes);
  const bytes = new Uint8Array(16 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  bytes.set(body, 16);
  return bytes;
}

/** What was encoded, without the flags. */
function encoded(encode: (builder: MessageBuilder) => void): Uint8Array {
  const builder = new MessageBuilder();
  try {
    encode(builder);
    const bytes = builder.finish().slice();
    assert.equal(new DataView(bytes.buffer).getUint16(6, true), 1, "NLM_F_REQUEST");
    bytes[6] = 0;
    return bytes;
  } finally {
    builder.free();
  }
}

function reading(...messages: readonly Uint8Array[]) {
  const parser = new MessageParser(64 * 1024);
  const bytes = joined(...messages);
  parser.bytes.set(bytes);
  const reader = new DeviceReader();
  for (const one of parser.messages(bytes.length)) reader.read(parser, one);
  return reader.device;
}

const v4 = joined(u16(2), Uint8Array.of(0xca, 0x6c), Uint8Array.of(192, 0, 2, 2), new Uint8Array(8));
const v6 = joined(
  u16(10),
  Uint8Array.of(0xca, 0x6c),
  new Uint8Array(4),
  Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  new Uint8Array(4),
);
const allowed4 = nest(
  0,
  attribute(1, u16(2)),
  attribute(2, Uint8Array.of(10, 5, 2, 0)),
  attribute(3, Uint8Array.of(24)),
);
const allowed6 = nest(
  0,
  attribute(1, u16(10)),
  attribute(2, Uint8Array.of(0xfd, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)),
  attribute(3, Uint8Array.of(64)),
);

Deno.test("genetlink: a family is asked for by its name, and has a number", () => {
  assert.deepEqual(
    encoded((builder) => encodeFamilyGet(builder, "wireguard")),
    message(16, 3, attribute(2, text("wireguard"))),
  );
  const parser = new MessageParser(1024);
  const answer = message(16, 1, attribute(2, text("wireguard")), attribute(1, u16(0x1d)));
  parser.bytes.set(answer);
  assert.equal(decodeFamily(parser, [...parser.messages(answer.length)][0]!), 0x1d);
});

Deno.test("wireguard in netlink: a device gets its key and port, and nothing that is left out", () => {
  assert.deepEqual(
    encoded((builder) =>
      encodeDeviceSet(builder, { family: 29, link: "wg0", privateKey: key(1), listenPort: 51820 })
    ),
    message(29, 1, attribute(2, text("wg0")), attribute(3, key(1)), attribute(6, u16(51820))),
  );
  assert.deepEqual(
    encoded((builder) => encodeDeviceSet(builder, { family: 29, link: "wg0", listenPort: 1 })),
    message(29, 1, attribute(2, text("wg0")), attribute(6, u16(1))),
  );
});

Deno.test("wireguard in netlink: a peer of either family, its prefixes replaced", () => {
  const peer = {
    publicKey: keyText(key(2)),
    allowedIps: ["10.5.2.0/24", "fd00:5:0:2::/64"],
    keepalive: 25,
    presharedKey: key(9),
  };
  for (const [endpoint, address] of [["192.0.2.2:51820", v4], ["[2001:db8::2]:51820", v6]] as const) {
    assert.deepEqual(
      encoded((builder) => encodePeerSet(builder, { family: 29, link: "wg0", peer: { ...peer, endpoint } })),
      message(
        29,
        1,
        attribute(2, text("wg0")),
        nest(
          8,
          nest(
            0,
            attribute(1, key(2)),
            attribute(3, u32(2)),
            attribute(2, key(9)),
            attribute(4, address),
            attribute(5, u16(25)),
            nest(9, allowed4, allowed6),
          ),
        ),
      ),
    );
  }
});

Deno.test("wireguard in netlink: a peer is removed by its key alone, and keeps an endpoint that is left out", () => {
  const peer = {
    publicKey: keyText(key(2)),
    allowedIps: ["10.5.2.0/24"],
    keepalive: 0,
    presharedKey: undefined,
  };
  assert.deepEqual(
    encoded((builder) =>
      encodePeerSet(builder, { family: 29, link: "wg0", peer: { ...peer, remove: true } })
    ),
    message(29, 1, attribute(2, text("wg0")), nest(8, nest(0, attribute(1, key(2)), attribute(3, u32(1))))),
  );
  assert.deepEqual(
    encoded((builder) => encodePeerSet(builder, { family: 29, link: "wg0", peer })),
    message(
      29,
      1,
      attribute(2, text("wg0")),
      nest(
        8,
        nest(
          0,
          attribute(1, key(2)),
          attribute(3, u32(2)),
          attribute(2, key(0)),
          attribute(5, u16(0)),
          nest(9, allowed4),
        ),
      ),
    ),
  );
});

const peer2 = (...more: readonly Uint8Array[]) =>
  nest(
    0,
    attribute(1, key(2)),
    attribute(2, key(9)),
    attribute(4, v6),
    attribute(5, u16(25)),
    attribute(6, joined(u32(300), new Uint8Array(12))),
    ...more,
  );

Deno.test("wireguard in netlink: a device is read, a peer that is continued in the next message as one", () => {
  const device = reading(
    message(29, 0, attribute(4, key(1)), attribute(6, u16(51820)), nest(8, peer2(nest(9, allowed6)))),
    message(29, 0, nest(8, nest(0, attribute(1, key(2)), nest(9, allowed4)), nest(0, attribute(1, key(3))))),
  );
  assert.deepEqual(device, {
    publicKey: keyText(key(1)),
    listenPort: 51820,
    peers: [{
      publicKey: keyText(key(2)),
      endpoint: "[2001:db8::2]:51820",
      keepalive: 25,
      presharedKey: fingerprint(key(9)),
      handshake: 300,
      allowedIps: ["10.5.2.0/24", "fd00:5:0:2::/64"],
    }, {
      publicKey: keyText(key(3)),
      endpoint: "",
      keepalive: 0,
      presharedKey: "",
      handshake: 0,
      allowedIps: [],
    }],
  });
});

Deno.test("wireguard in netlink: no length that lies leads out of the message", () => {
  const whole = message(29, 0, attribute(4, key(1)), nest(8, peer2(nest(9, allowed4, allowed6))));
  for (let at = 16; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at] = 255;
    const { peers } = reading(damaged);
    assert.ok(peers.length <= 1);
  }
  for (let length = 20; length < whole.length; length += 4) {
    const cut = whole.slice(0, length);
    new DataView(cut.buffer).setUint32(0, length, true);
    reading(cut);
  }
});
