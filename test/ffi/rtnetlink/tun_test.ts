/** The TUN part of a link's message, from bytes. */
import assert from "node:assert/strict";
import { libc } from "../../../ffi/libc.ts";
import { libnl } from "../../../ffi/libnl.ts";
import { MessageBuilder } from "../../../ffi/message_builder.ts";
import { MessageParser } from "../../../ffi/message_parser.ts";
import { decodeLink, encodeLinkChange } from "../../../ffi/rtnetlink/link.ts";
import type { Tun } from "../../../kernel/state.ts";
import { decodedAll } from "../messages.ts";

libc();
libnl();

// linux/if_link.h
const IFLA_IFNAME = 3;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const [TYPE, PERSIST, MULTI_QUEUE] = [3, 6, 7];

/** An RTM_NEWLINK with these attributes in its IFLA_INFO_DATA, as bytes each. */
function told(data: Record<number, number[]>, kind = "tun"): Uint8Array<ArrayBuffer> {
  const message = new MessageBuilder();
  try {
    message.start({ type: 16, flags: 0 }, new Uint8Array(16));
    message.putString(IFLA_IFNAME, "flan0");
    message.putU32(IFLA_TXQLEN, 4000);
    message.nest(IFLA_LINKINFO, () => {
      message.putString(IFLA_INFO_KIND, kind);
      message.nest(IFLA_INFO_DATA, () => {
        for (const [type, bytes] of Object.entries(data)) message.put(Number(type), new Uint8Array(bytes));
      });
    });
    return message.finish().slice();
  } finally {
    message.free();
  }
}

function tunOf(bytes: Uint8Array<ArrayBuffer>): Tun | undefined {
  const parser = new MessageParser(4096);
  parser.bytes.set(bytes);
  const [message] = parser.messages(bytes.length);
  return decodeLink(parser, message!)?.tun;
}

const cases: readonly [string, Record<number, number[]>, boolean | undefined][] = [
  ["a TUN device", { [TYPE]: [1], [PERSIST]: [1], [MULTI_QUEUE]: [0] }, false],
  ["one with several queues", { [TYPE]: [1], [PERSIST]: [1], [MULTI_QUEUE]: [1] }, true],
  ["one that says nothing of queues", { [TYPE]: [1], [PERSIST]: [1] }, false],
  ["one that goes with its reader", { [TYPE]: [1], [PERSIST]: [0], [MULTI_QUEUE]: [1] }, undefined],
  ["one that does not say whether it stays", { [TYPE]: [1] }, undefined],
  ["a TAP device", { [TYPE]: [2], [PERSIST]: [1], [MULTI_QUEUE]: [0] }, undefined],
  ["a device of no type", { [PERSIST]: [1] }, undefined],
  ["a type that is too short", { [TYPE]: [], [PERSIST]: [1] }, undefined],
];

for (const [what, data, multiQueue] of cases) {
  Deno.test(`rtnetlink: ${what} is ${multiQueue === undefined ? "no TUN link of flan's kind" : "a TUN link"}`, () => {
    const expected = multiQueue === undefined ? undefined : { multiQueue, queueLength: 4000 };
    assert.deepEqual(tunOf(told(data)), expected);
    assert.equal(tunOf(told(data, "vxlan")), undefined);
  });
}

Deno.test("rtnetlink: a TUN link that is cut off anywhere gives nothing and crashes nothing", () => {
  const bytes = told({ [TYPE]: [1], [PERSIST]: [1], [MULTI_QUEUE]: [1] });
  const parser = new MessageParser(4096);
  for (let length = 16; length < bytes.length; length++) {
    const cut = bytes.slice(0, length);
    new DataView(cut.buffer).setUint32(0, length, true);
    for (const object of decodedAll(parser, cut)) {
      assert.ok(object?.kind !== "link" || object.tun === undefined);
    }
  }
});

Deno.test("rtnetlink: a queue length is told as txqueuelen, and only where it changes", () => {
  const message = new MessageBuilder();
  const attributes = (change: Parameters<typeof encodeLinkChange>[2]) => {
    encodeLinkChange(message, 3, change);
    return [...message.finish().subarray(32)];
  };
  assert.deepEqual(attributes({ queueLength: 0x01020304 }), [8, 0, IFLA_TXQLEN, 0, 4, 3, 2, 1]);
  assert.deepEqual(attributes({}), []);
  message.free();
});
