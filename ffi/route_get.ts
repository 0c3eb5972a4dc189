/** Asks the kernel how a packet would go. */
import type { RouteAnswer } from "../kernel/kernel.ts";
import { addressBytes, addressText } from "./bytes.ts";
import { linkName } from "./libc.ts";
import { type MessageBounds, type MessageParser, Policy } from "./message_parser.ts";
import { protocolError } from "./netlink_error.ts";
import type { NetlinkRequests } from "./netlink_requests.ts";
import { AF_INET, AF_INET6, NLM_F_REQUEST, RTM_GETROUTE } from "./rtnetlink/constants.ts";
import {
  gatewayText,
  routePolicy,
  RTA_DST,
  RTA_METRICS,
  RTA_OIF,
  RTA_PREFSRC,
  RTMSG_LENGTH,
} from "./rtnetlink/route.ts";

const RTAX_MTU = 2; // linux/rtnetlink.h
const metricsPolicy = new Policy({ [RTAX_MTU]: "u32" });

/** One `routeGet` of {@link Kernel}; see there. */
export function routeGet(requests: NetlinkRequests, destination: string): RouteAnswer {
  const what = `look up the route to ${destination}`;
  const bytes = addressBytes(destination);
  const head = new Uint8Array(RTMSG_LENGTH);
  head[0] = bytes.length === 16 ? AF_INET6 : AF_INET;
  head[1] = bytes.length * 8;
  requests.builder.start({ type: RTM_GETROUTE, flags: NLM_F_REQUEST }, head);
  requests.builder.put(RTA_DST, bytes);
  let answer: RouteAnswer | undefined;
  requests.ask(what, "kernel.routeGet", (parser, message) => answer = decodeRouteAnswer(parser, message));
  if (answer === undefined) throw protocolError(what, "the kernel's answer names no link");
  return answer;
}

/** The answer in an RTM_NEWROUTE message; undefined where it is malformed. */
export function decodeRouteAnswer(parser: MessageParser, message: MessageBounds): RouteAnswer | undefined {
  if (!parser.parse(message, RTMSG_LENGTH, routePolicy)) return undefined;
  const index = parser.u32(RTA_OIF);
  const link = index === undefined ? undefined : linkName(index);
  if (link === undefined) return undefined;
  const source = parser.data(RTA_PREFSRC);
  const gateway = gatewayText(parser);
  const sourceText = source?.length === 4 || source?.length === 16 ? addressText(source) : "";
  const mtu = parser.nested(RTA_METRICS, metricsPolicy) ? parser.u32(RTAX_MTU) ?? 0 : 0;
  return { link, gateway, source: sourceText, mtu };
}
