/** XFRM messages: what is encoded is decoded again, and where each field lies. */
import assert from "node:assert/strict";
import { MessageBuilder } from "../../../ffi/message_builder.ts";
import { MessageParser } from "../../../ffi/message_parser.ts";
import { decodePolicy, encodePolicy } from "../../../ffi/xfrm/policy.ts";
import {
  decodeState,
  encodeImpossibleState,
  encodeState,
  encodeStateDelete,
} from "../../../ffi/xfrm/state.ts";
import type { XfrmPolicy, XfrmState } from "../../../kernel/xfrm.ts";
import { fingerprint } from "../../../net/fingerprint.ts";

const key = Uint8Array.from({ length: 20 }, (_, i) => i + 1);

const state: XfrmState = {
  kind: "xfrm-state",
  source: "192.0.2.1",
  destination: "192.0.2.2",
  spi: 0x80000405,
  requestId: 0x1f1a,
  interfaceId: 0x1f1b,
  key: fingerprint(key),
};

const policy: XfrmPolicy = {
  kind: "xfrm-policy",
  direction: "out",
  source: "10.5.1.0/24",
  destination: "10.5.2.0/24",
  priority: 1000,
  action: "tunnel",
  ends: { source: "192.0.2.1", destination: "192.0.2.2" },
  requestId: 0x1f1a,
  interfaceId: 0x1f1b,
};

const { ends: _, ...clear } = policy;
const policies: readonly XfrmPolicy[] = [
  policy,
  { ...clear, action: "pass", interfaceId: 0 },
  { ...clear, action: "block", interfaceId: 0 },
];

const builder = new MessageBuilder();

function bytesOf(encode: (builder: MessageBuilder) => void): Uint8Array<ArrayBuffer> {
  encode(builder);
  return builder.finish().slice();
}

function parsed<T>(
  encode: (builder: MessageBuilder) => void,
  decode: (parser: MessageParser, message: never) => T,
): T {
  const bytes = bytesOf(encode);
  const parser = new MessageParser(4096);
  parser.bytes.set(bytes);
  const [message] = [...parser.messages(bytes.length)];
  return decode(parser, message as never);
}

Deno.test("xfrm: a state is decoded again, with the fingerprint of its key and not the key", () => {
  const again = parsed((message) => encodeState(state, { message, key }), decodeState);
  assert.deepEqual(again, state);
});

Deno.test("xfrm: a state is told with its key, extended sequence numbers and a window of 1024 packets", () => {
  const bytes = bytesOf((message) => encodeState(state, { message, key }));
  const view = new DataView(bytes.buffer, 16);
  assert.equal(view.getUint32(72, false), state.spi);
  assert.equal(view.getUint8(216), 128, "XFRM_STATE_ESN");
  assert.ok(bytes.toHex().includes(key.toHex()));
  const replay = attribute(bytes, { head: 224, type: 23 });
  const words = Array.from({ length: 6 }, (_, i) => replay.getUint32(4 * i, true));
  assert.deepEqual(words, [32, 0, 0, 0, 0, 1024]);
});

Deno.test("xfrm: a state for ESP in UDP says from and to which port, and is decoded again", () => {
  const wanted = { ...state, encapPort: 4500 };
  const bytes = bytesOf((message) => encodeState(wanted, { message, key }));
  const template = attribute(bytes, { head: 224, type: 4 });
  assert.equal(template.byteLength, 24, "struct xfrm_encap_tmpl");
  assert.equal(template.getUint16(0, true), 2, "UDP_ENCAP_ESPINUDP");
  assert.deepEqual([template.getUint16(2), template.getUint16(4)], [4500, 4500]);
  assert.deepEqual(parsed((message) => encodeState(wanted, { message, key }), decodeState), wanted);
});

Deno.test("xfrm: of another encapsulation than flan's it is known that there is one", () => {
  for (const [at, byte] of [[0, 1], [5, 0]] as const) {
    const bytes = bytesOf((message) => encodeState({ ...state, encapPort: 4500 }, { message, key }));
    attribute(bytes, { head: 224, type: 4 }).setUint8(at, byte);
    const parser = new MessageParser(4096);
    parser.bytes.set(bytes);
    const [message] = [...parser.messages(bytes.length)];
    assert.equal(decodeState(parser, message!)?.encapPort, 0);
  }
});

Deno.test("xfrm: the state that is asked for to learn what the kernel has cannot be made", () => {
  const replay = attribute(bytesOf(encodeImpossibleState), { head: 224, type: 23 });
  assert.ok(replay.getUint32(20, true) > 32 * replay.getUint32(0, true));
});

Deno.test("xfrm: a state is deleted by what names it", () => {
  const bytes = bytesOf((message) => encodeStateDelete(state, message));
  const view = new DataView(bytes.buffer, 16);
  assert.deepEqual([...bytes.subarray(16, 20)], [192, 0, 2, 2]);
  assert.deepEqual([view.getUint32(16, false), view.getUint16(20, true), view.getUint8(22)], [
    state.spi,
    2,
    50,
  ]);
});

Deno.test("xfrm: policies of each direction are decoded again, also those that pass or block", () => {
  for (const direction of ["in", "out", "fwd"] as const) {
    for (const one of policies) {
      const wanted = { ...one, direction };
      assert.deepEqual(parsed((message) => encodePolicy("add", wanted, message), decodePolicy), wanted);
    }
  }
});

Deno.test("xfrm: a policy that asks for a tunnel is required, and others ask for nothing", () => {
  const optional = policies.map((one) => {
    const template = attribute(bytesOf((message) => encodePolicy("add", one, message)), {
      head: 168,
      type: 5,
    });
    return template.getUint8(50);
  });
  assert.deepEqual(optional, [0, 1, 1]);
});

Deno.test("xfrm: a policy is deleted with the number of its interface, which is part of its name", () => {
  const bytes = bytesOf((message) => encodePolicy("delete", policy, message));
  assert.equal(attribute(bytes, { head: 64, type: 31 }).getUint32(0, true), policy.interfaceId);
});

Deno.test("xfrm: a policy without a template is nobody's of flan's", () => {
  const bytes = bytesOf((message) => encodePolicy("add", policy, message)).slice(0, 16 + 168);
  new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  const parser = new MessageParser(4096);
  parser.bytes.set(bytes);
  const [message] = [...parser.messages(bytes.length)];
  assert.equal(decodePolicy(parser, message!), undefined);
});

/** The contents of an attribute of a message with a header of `head` bytes. */
function attribute(bytes: Uint8Array<ArrayBuffer>, { head, type }: { head: number; type: number }): DataView {
  const view = new DataView(bytes.buffer);
  for (let at = 16 + head; at < bytes.length;) {
    const length = view.getUint16(at, true);
    if (view.getUint16(at + 2, true) === type) return new DataView(bytes.buffer, at + 4, length - 4);
    at += (length + 3) & ~3;
  }
  throw new Error(`no attribute ${type}`);
}
