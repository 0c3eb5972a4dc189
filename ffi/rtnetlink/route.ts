/** Routes: `struct rtmsg` and RTA_ attributes (linux/rtnetlink.h). */
import { invalid } from "../../net/errors.ts";
import type { Change, RouteMatch } from "../../kernel/kernel.ts";
import type { Route } from "../../kernel/state.ts";
import { addressBytes, addressText, prefixBytes } from "../bytes.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import {
  AF_INET,
  AF_INET6,
  makeFlags,
  NLM_F_REQUEST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTNH_F_ONLINK,
} from "./constants.ts";
import type { EncodeContext, NameOf } from "./context.ts";
import { routeTypeName, routeTypeNumber } from "./names.ts";

export const RTMSG_LENGTH = 12;
export const RTA_DST = 1;
export const RTA_SRC = 2;
export const RTA_IIF = 3;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_NH_ID = 30;
export const routePolicy = new Policy({
  [RTA_DST]: "bytes",
  [RTA_OIF]: "u32",
  [RTA_GATEWAY]: "bytes",
  [RTA_PRIORITY]: "u32",
  [RTA_PREFSRC]: "bytes",
  [RTA_METRICS]: "nested",
  [RTA_TABLE]: "u32",
  [RTA_VIA]: "bytes",
  [RTA_NH_ID]: "u32",
});

/** The types whose packets end here. */
const refusing: ReadonlySet<string> = new Set(["unreachable", "blackhole", "prohibit"]);

const head = new Uint8Array(RTMSG_LENGTH);
const destinationScratch = new Uint8Array(4);
const gatewayScratch = new Uint8Array(4);

/**
 * Fills struct rtmsg { u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags; } for the
 * main table.
 */
function rtmsg(
  route: Route,
  { family, length }: { family: number; length: number },
  scope: number,
): typeof head {
  const type = routeTypeNumber(route.type);
  if (type === undefined) {
    throw invalid("ffi.encode", `Cannot encode route ${route.destination}: type ${route.type} is unknown`);
  }
  head[0] = family;
  head[1] = length;
  head[4] = RT_TABLE_MAIN;
  head[5] = route.protocol;
  head[6] = scope;
  head[7] = type;
  head[8] = route.onlink && route.nexthop === 0 ? RTNH_F_ONLINK : 0;
  return head;
}

/**
 * RTM_NEWROUTE or RTM_DELROUTE. A deletion names the protocol, so that it cannot hit another program's route
 * of the same key. (With metric 0 the kernel removes the first match of any metric.)
 */
export function encodeRoute(verb: Change["verb"], route: Route, { message, indexOf }: EncodeContext): void {
  const { bytes, length } = prefixBytes(route.destination, destinationScratch);
  const family = bytes.length === 16 ? AF_INET6 : AF_INET;
  if (verb === "delete") {
    const head = rtmsg({ ...route, onlink: false }, { family, length }, RT_SCOPE_NOWHERE);
    message.start({ type: RTM_DELROUTE, flags: NLM_F_REQUEST }, head);
    if (length > 0) message.put(RTA_DST, bytes);
    if (route.metric !== 0) message.putU32(RTA_PRIORITY, route.metric);
    return;
  }
  const gateway = route.gateway === "" ? undefined : addressBytes(route.gateway, gatewayScratch);
  const own = route.nexthop === 0;
  const index = own && route.link !== "" ? indexOf(route.link) : 0;
  const scope = own && index !== 0 && gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  message.start({ type: RTM_NEWROUTE, flags: makeFlags[verb] }, rtmsg(route, { family, length }, scope));
  if (length > 0) message.put(RTA_DST, bytes);
  if (route.metric !== 0) message.putU32(RTA_PRIORITY, route.metric);
  if (!own) return message.putU32(RTA_NH_ID, route.nexthop);
  if (gateway !== undefined) putGateway(message, gateway, bytes.length);
  if (index !== 0) message.putU32(RTA_OIF, index);
}

/** A gateway of the other family goes as struct rtvia { u16 family; u8 addr[]; }. */
function putGateway(
  message: EncodeContext["message"],
  gateway: Uint8Array<ArrayBuffer>,
  destinationLength: number,
): void {
  if (gateway.length === destinationLength) return message.put(RTA_GATEWAY, gateway);
  const via = new Uint8Array(2 + gateway.length);
  via[0] = gateway.length === 16 ? AF_INET6 : AF_INET;
  via.set(gateway, 2);
  message.put(RTA_VIA, via);
}

/** The route of an RTM_NEWROUTE or RTM_DELROUTE message; undefined where it is not of the main table. */
export function decodeRoute(
  parser: MessageParser,
  message: MessageBounds,
  nameOf: NameOf,
): Route | undefined {
  const match = decodeAnyRoute(parser, message, nameOf);
  // A route for one type of service stands beside ours, with its own place in the kernel's table.
  if (match?.table !== RT_TABLE_MAIN || parser.headU8(message, 3) !== 0) return undefined;
  return match.route;
}

/** The route of such a message, of whatever table. */
export function decodeAnyRoute(
  parser: MessageParser,
  message: MessageBounds,
  nameOf: NameOf,
): RouteMatch | undefined {
  if (!parser.parse(message, RTMSG_LENGTH, routePolicy)) return undefined;
  const family = parser.headU8(message, 0);
  const size = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  const destination = parser.data(RTA_DST);
  const table = parser.u32(RTA_TABLE) ?? parser.headU8(message, 4);
  if (size === 0) return undefined;
  if (destination !== undefined && destination.length !== size) return undefined;
  const index = parser.u32(RTA_OIF);
  const type = routeTypeName(parser.headU8(message, 7));
  const route: Route = {
    kind: "route",
    destination: `${addressText(destination ?? new Uint8Array(size))}/${parser.headU8(message, 1)}`,
    metric: parser.u32(RTA_PRIORITY) ?? 0,
    // IPv6 shows a route that leads nowhere on the loopback device.
    link: index === undefined || refusing.has(type) ? "" : nameOf(index) ?? "",
    gateway: gatewayText(parser),
    onlink: (parser.headU32(message, 8) & RTNH_F_ONLINK) !== 0,
    nexthop: parser.u32(RTA_NH_ID) ?? 0,
    type,
    protocol: parser.headU8(message, 5),
  };
  return { route, table };
}

/** The gateway of the message that was parsed last, "" where it has none. */
export function gatewayText(parser: MessageParser): string {
  const gateway = parser.data(RTA_GATEWAY) ?? parser.data(RTA_VIA)?.subarray(2);
  return gateway?.length === 4 || gateway?.length === 16 ? addressText(gateway) : "";
}
