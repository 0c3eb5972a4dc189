/** The TUN part of a link: IFLA_TUN_ attributes (linux/if_link.h), which the kernel tells and does not take. */
import type { Tun } from "../../kernel/state.ts";
import { type MessageParser, Policy } from "../message_parser.ts";

const IFLA_TUN_TYPE = 3;
const IFLA_TUN_PERSIST = 6;
const IFLA_TUN_MULTI_QUEUE = 7;
const IFF_TUN = 1; // linux/if_tun.h; 2 is IFF_TAP, for Ethernet frames

const policy = new Policy({
  [IFLA_TUN_TYPE]: "u8",
  [IFLA_TUN_PERSIST]: "u8",
  [IFLA_TUN_MULTI_QUEUE]: "u8",
});

/**
 * The TUN part inside the attribute `type` of the last parse; undefined for a TAP device, for one that goes with its
 * reader, and where it is malformed.
 */
export function decodeTun(parser: MessageParser, type: number): Omit<Tun, "queueLength"> | undefined {
  if (!parser.nested(type, policy)) return undefined;
  if (parser.u8(IFLA_TUN_TYPE) !== IFF_TUN || parser.u8(IFLA_TUN_PERSIST) !== 1) return undefined;
  return { multiQueue: parser.u8(IFLA_TUN_MULTI_QUEUE) === 1 };
}
