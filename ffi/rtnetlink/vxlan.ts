/** The VXLAN part of a link: IFLA_VXLAN_ attributes (linux/if_link.h). */
import type { Vxlan } from "../../kernel/state.ts";
import { addressBytes, addressText } from "../bytes.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageParser, Policy } from "../message_parser.ts";

const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_TTL = 5;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;
const IFLA_VXLAN_UDP_CSUM = 18;
const IFLA_VXLAN_GBP = 23;

const policy = new Policy({
  [IFLA_VXLAN_ID]: "u32",
  [IFLA_VXLAN_LINK]: "u32",
  [IFLA_VXLAN_LOCAL]: "bytes",
  [IFLA_VXLAN_LEARNING]: "u8",
  [IFLA_VXLAN_PORT]: "u16",
  [IFLA_VXLAN_LOCAL6]: "bytes",
  [IFLA_VXLAN_GBP]: "flag",
});

/** A VXLAN device whose parent is still a number, 0 for none. */
export interface VxlanFields extends Omit<Vxlan, "parent"> {
  readonly parentIndex: number;
}

/** Puts the contents of IFLA_INFO_DATA. */
export function encodeVxlan(message: MessageBuilder, vxlan: Vxlan, parentIndex: number): void {
  message.putU32(IFLA_VXLAN_ID, vxlan.vni);
  if (parentIndex !== 0) message.putU32(IFLA_VXLAN_LINK, parentIndex);
  if (vxlan.local !== "") {
    const local = addressBytes(vxlan.local);
    message.put(local.length === 16 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, local);
  }
  message.putBe16(IFLA_VXLAN_PORT, vxlan.port);
  // 0: the route's own TTL.
  message.putU8(IFLA_VXLAN_TTL, 0);
  message.putU8(IFLA_VXLAN_LEARNING, vxlan.learning ? 1 : 0);
  // RFC 7348 section 4.1: the outer checksum SHOULD be zero; it also avoids broken offloads.
  message.putU8(IFLA_VXLAN_UDP_CSUM, 0);
  if (vxlan.gbp) message.putFlag(IFLA_VXLAN_GBP);
}

/** The VXLAN part inside the attribute `type` of the last parse, or undefined where it is malformed. */
export function decodeVxlan(parser: MessageParser, type: number): VxlanFields | undefined {
  if (!parser.nested(type, policy)) return undefined;
  const local = parser.data(IFLA_VXLAN_LOCAL) ?? parser.data(IFLA_VXLAN_LOCAL6);
  return {
    vni: parser.u32(IFLA_VXLAN_ID) ?? 0,
    port: parser.be16(IFLA_VXLAN_PORT) ?? 0,
    local: local?.length === 4 || local?.length === 16 ? addressText(local) : "",
    parentIndex: parser.u32(IFLA_VXLAN_LINK) ?? 0,
    learning: parser.u8(IFLA_VXLAN_LEARNING) === 1,
    gbp: parser.has(IFLA_VXLAN_GBP),
  };
}
