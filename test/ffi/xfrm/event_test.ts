/** XFRM's announcements: what each kind is about, known without what may be a key. */
import assert from "node:assert/strict";
import { MessageBuilder } from "../../../ffi/message_builder.ts";
import { ANNOUNCEMENT_BYTES, decodeAnnouncement } from "../../../ffi/xfrm/event.ts";
import { encodePolicy } from "../../../ffi/xfrm/policy.ts";
import { encodeState, encodeStateDelete } from "../../../ffi/xfrm/state.ts";
import { eventKeyOf, keyOfEvent } from "../../../kernel/event_key.ts";
import type { KernelObject } from "../../../kernel/state.ts";
import type { XfrmPolicy, XfrmState } from "../../../kernel/xfrm.ts";
import { message } from "../scripted_socket.ts";

const PORT = 77;
const key = Uint8Array.from({ length: 20 }, (_, i) => i + 1);

const states = ["192.0.2.2", "2001:db8::2"].map((destination): XfrmState => ({
  kind: "xfrm-state",
  source: destination.replace(/2$/, "1"),
  destination,
  spi: 0x80000405,
  requestId: 1,
  interfaceId: 2,
  key: "",
}));

const policies = (["in", "out", "fwd"] as const).map((direction): XfrmPolicy => ({
  kind: "xfrm-policy",
  direction,
  source: "10.5.1.0/24",
  destination: "10.5.0.0/16",
  priority: 1,
  action: "block",
  requestId: 1,
  interfaceId: 0,
}));

const builder = new MessageBuilder();

/** As the kernel announces it: with the port of who asked for it, and of another type where it has one for that. */
function announced(
  encode: (builder: MessageBuilder) => void,
  { port = PORT, type }: { port?: number; type?: number } = {},
) {
  encode(builder);
  const bytes = builder.finish().slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(12, port, true);
  if (type !== undefined) view.setUint16(4, type, true);
  return bytes;
}

function insist(bytes: Uint8Array, action: "new" | "delete", object: KernelObject): void {
  const event = decodeAnnouncement(bytes.subarray(0, ANNOUNCEMENT_BYTES), PORT);
  assert.deepEqual([event?.group, event?.action], ["ipsec", action]);
  assert.equal(keyOfEvent(event!), eventKeyOf(object));
}

Deno.test("xfrm events: each kind says what it is about", () => {
  const [XFRM_MSG_UPDSA, XFRM_MSG_UPDPOLICY] = [0x1a, 0x19];
  for (const state of states) {
    const make = (message: MessageBuilder) => encodeState(state, { message, key });
    insist(announced(make), "new", state);
    insist(announced(make, { type: XFRM_MSG_UPDSA }), "new", state);
    insist(announced((message) => encodeStateDelete(state, message)), "delete", state);
  }
  for (const policy of policies) {
    const make = (message: MessageBuilder) => encodePolicy("add", policy, message);
    insist(announced(make), "new", policy);
    insist(announced(make, { type: XFRM_MSG_UPDPOLICY }), "new", policy);
    insist(announced((message) => encodePolicy("delete", policy, message)), "delete", policy);
  }
  for (const [type, subject] of [[0x1c, "states"], [0x1d, "policies"]] as const) {
    const event = decodeAnnouncement(message(type, {}), PORT);
    assert.deepEqual(event, { group: "ipsec", action: "delete", own: false, port: 0, subject });
  }
});

Deno.test("xfrm events: a program's own changes are told from others'", () => {
  const owns = [PORT, PORT + 1, 0].map((port) => {
    const event = decodeAnnouncement(announced((to) => encodeStateDelete(states[0]!, to), { port }), PORT);
    return [event?.own, event?.port];
  });
  assert.deepEqual(owns, [[true, PORT], [false, PORT + 1], [false, 0]]);
});

Deno.test("xfrm events: what is read of a state ends before its key begins", () => {
  const bytes = announced((message) => encodeState(states[0]!, { message, key }));
  assert.ok(bytes.toHex().includes(key.toHex()));
  const read = bytes.subarray(0, ANNOUNCEMENT_BYTES);
  assert.ok(!read.toHex().includes(key.subarray(0, 4).toHex()));
});

Deno.test("xfrm events: what is cut off, of another family, a socket's own or unknown is no event", () => {
  const whole = announced((message) => encodePolicy("add", policies[0]!, message));
  const changed = (at: number, value: number) => {
    const bytes = whole.slice();
    bytes[at] = value;
    return bytes;
  };
  const nothing = [
    new Uint8Array(0),
    whole.subarray(0, 15),
    whole.subarray(0, 16 + 167),
    changed(16 + 40, 17),
    changed(16 + 160, 3),
    changed(4, 0x18),
  ];
  assert.deepEqual(nothing.map((bytes) => decodeAnnouncement(bytes, PORT)), nothing.map(() => undefined));
  assert.notEqual(decodeAnnouncement(whole.subarray(0, 16 + 168), PORT), undefined);
});
