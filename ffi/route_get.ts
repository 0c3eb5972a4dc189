/** Asks the kernel how a packet would go. */
import type { RouteAnswer, RouteMatch, RouteQuery } from "../kernel/kernel.ts";
import { KernelError } from "../net/errors.ts";
import { addressBytes, addressText } from "./bytes.ts";
import { linkIndex, linkName } from "./libc.ts";
import { type MessageBounds, type MessageParser, Policy } from "./message_parser.ts";
import { protocolError } from "./netlink_error.ts";
import type { NetlinkRequests } from "./netlink_requests.ts";
import { AF_INET, AF_INET6, NLM_F_REQUEST, RTM_GETROUTE } from "./rtnetlink/constants.ts";
import {
  decodeAnyRoute,
  gatewayText,
  routePolicy,
  RTA_DST,
  RTA_IIF,
  RTA_METRICS,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_SRC,
  RTMSG_LENGTH,
} from "./rtnetlink/route.ts";

// linux/rtnetlink.h
const RTAX_MTU = 2;
/** The answer names the table that decided, which that of IPv6 always does; it refuses the flag. */
const RTM_F_LOOKUP_TABLE = 0x1000;
/** The answer is the entry itself, not the way that follows from it (Linux 4.13). */
const RTM_F_FIB_MATCH = 0x2000;
const metricsPolicy = new Policy({ [RTAX_MTU]: "u32" });

/** One `routeGet` of {@link Kernel}; see there. */
export function routeGet(
  requests: NetlinkRequests,
  destination: string,
  query: RouteQuery = {},
): RouteAnswer {
  const [what, op] = [`look up the route to ${destination}`, "kernel.routeGet"];
  startQuestion(requests, { destination, query, op, isMatch: false });
  let answer: RouteAnswer | undefined;
  requests.ask(what, op, (parser, message) => answer = decodeRouteAnswer(parser, message));
  if (answer === undefined) throw protocolError(what, "the kernel's answer names no link");
  // The kernel does not repeat the source that it was given.
  return query.source === undefined ? answer : { ...answer, source: query.source };
}

/** One `routeMatch` of {@link Kernel}; see there. */
export function routeMatch(
  requests: NetlinkRequests,
  destination: string,
  query: RouteQuery = {},
): RouteMatch {
  const [what, op] = [`look up the route to ${destination}`, "kernel.routeMatch"];
  startQuestion(requests, { destination, query, op, isMatch: true });
  let match: RouteMatch | undefined;
  requests.ask(what, op, (parser, message) => {
    match = decodeAnyRoute(parser, message, linkName);
  });
  if (match === undefined) throw protocolError(what, "the kernel's answer is no route");
  return match;
}

/** Builds the question; `isMatch` asks for the entry that decides. Throws KernelError ENODEV. */
function startQuestion(
  { builder }: NetlinkRequests,
  { destination, query: { source, incoming, outgoing }, op, isMatch }: {
    destination: string;
    query: RouteQuery;
    op: string;
    isMatch: boolean;
  },
): void {
  const bytes = addressBytes(destination);
  const head = new Uint8Array(RTMSG_LENGTH);
  head[0] = bytes.length === 16 ? AF_INET6 : AF_INET;
  head[1] = bytes.length * 8;
  if (isMatch) {
    const flags = RTM_F_FIB_MATCH | (head[0] === AF_INET ? RTM_F_LOOKUP_TABLE : 0);
    new DataView(head.buffer).setUint32(8, flags, true);
  }
  const from = source === undefined ? undefined : addressBytes(source);
  if (from !== undefined) head[2] = from.length * 8;
  builder.start({ type: RTM_GETROUTE, flags: NLM_F_REQUEST }, head);
  builder.put(RTA_DST, bytes);
  if (from !== undefined) builder.put(RTA_SRC, from);
  if (incoming !== undefined) builder.putU32(RTA_IIF, indexOf(incoming, op));
  if (outgoing !== undefined) builder.putU32(RTA_OIF, indexOf(outgoing, op));
}

/** Throws KernelError ENODEV. */
function indexOf(link: string, op: string): number {
  const index = linkIndex(link);
  if (index !== 0) return index;
  throw new KernelError(`Cannot look up a route over link ${link}: there is no such link`, "ENODEV", { op });
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
