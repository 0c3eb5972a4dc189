/** One rtnetlink announcement as a {@link KernelEvent}. */
import type { KernelEvent } from "../kernel/kernel.ts";
import { linkName } from "./libc.ts";
import type { MessageBounds, MessageParser } from "./message_parser.ts";
import { decodeAddress } from "./rtnetlink/address.ts";
import {
  AF_BRIDGE,
  NLM_F_REPLACE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_GETNEIGH,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWNEXTHOP,
  RTM_NEWROUTE,
} from "./rtnetlink/constants.ts";
import { decodeLink, type LinkFields } from "./rtnetlink/link.ts";
import { decodeFdb, decodeNeighbour } from "./rtnetlink/neighbour.ts";
import { decodeNexthop } from "./rtnetlink/nexthop.ts";
import { decodeRoute } from "./rtnetlink/route.ts";

/** Names of links by index, kept from announcements, so that a link that is gone can still be named. */
export class LinkNames {
  readonly #names = new Map<number, string>();

  set(index: number, name: string): void {
    this.#names.set(index, name);
  }

  delete(index: number): void {
    this.#names.delete(index);
  }

  /** The last known name of a link. */
  readonly of = (index: number): string | undefined => {
    const known = this.#names.get(index);
    if (known !== undefined) return known;
    const name = linkName(index);
    if (name !== undefined) this.#names.set(index, name);
    return name;
  };
}

export interface EventContext {
  readonly names: LinkNames;
  readonly ownPort: number;
  /** The listening socket's own port: what carries it answers the listener's question about links. */
  readonly listenerPort: number;
}

/** The event of a message; undefined for one that is malformed or about something flan does not deal with. */
export function decodeEvent(
  parser: MessageParser,
  message: MessageBounds,
  context: EventContext,
): KernelEvent | undefined {
  const { port } = message;
  const from = { own: port === context.ownPort, port };
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const event = linkEvent(parser, message, context.names);
      return event && port !== context.listenerPort ? { ...event, ...from } : undefined;
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(parser, message, context.names.of);
      if (address === undefined) return undefined;
      const action = message.type === RTM_NEWADDR ? "new" : "delete";
      return { group: "address", action, ...from, link: address.link, subject: address.address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(parser, message, context.names.of);
      if (route === undefined) return undefined;
      const { destination: subject, protocol, link } = route;
      const action = message.type === RTM_NEWROUTE ? "new" : "delete";
      const replaces = action === "new" && (message.flags & NLM_F_REPLACE) !== 0 &&
        { replaces: true as const };
      return {
        group: "route",
        action,
        ...from,
        ...(link !== "" && { link }),
        subject,
        protocol,
        ...replaces,
      };
    }
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP: {
      const nexthop = decodeNexthop(parser, message, context.names.of);
      if (nexthop === undefined) return undefined;
      const action = message.type === RTM_NEWNEXTHOP ? "new" : "delete";
      const { id, gateway: to, link } = nexthop;
      const subject = String(id);
      return { group: "nexthop", action, ...from, ...(link !== "" && { link }), subject, ...(to && { to }) };
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
    case RTM_GETNEIGH: {
      const event = neighbourEvent(parser, message, context.names);
      return event && { ...event, ...from };
    }
    default:
      return undefined;
  }
}

type Bare = Omit<KernelEvent, "own" | "port">;

function linkEvent(parser: MessageParser, message: MessageBounds, names: LinkNames): Bare | undefined {
  const link = decodeLink(parser, message);
  if (link === undefined) return undefined;
  const before = names.of(link.index);
  if (message.type === RTM_NEWLINK) names.set(link.index, link.name);
  else names.delete(link.index);
  return {
    group: "link",
    action: message.type === RTM_NEWLINK ? "new" : "delete",
    link: link.name,
    ...(message.type === RTM_NEWLINK && lookOf(link)),
    ...(before !== undefined && before !== link.name && { former: before }),
  };
}

function lookOf(
  { name: _, index: __, kind: ___, mtu, up, mac, ...rest }: LinkFields,
): Pick<KernelEvent, "mtu" | "up" | "linkMac" | "details"> {
  return { mtu, up, linkMac: mac, details: JSON.stringify(rest) };
}

function neighbourEvent(parser: MessageParser, message: MessageBounds, names: LinkNames): Bare | undefined {
  const action = message.type === RTM_GETNEIGH ? "wanted" : message.type === RTM_NEWNEIGH ? "new" : "delete";
  const neighbour = decodeNeighbour(parser, message, names.of);
  if (neighbour !== undefined) {
    const { link, ip: subject, state, protocol } = neighbour;
    return { group: "neighbour", action, link, subject, state, protocol };
  }
  if (action === "wanted" || message.length < 28 || parser.headU8(message, 0) !== AF_BRIDGE) return undefined;
  const link = names.of(parser.headU32(message, 4));
  const entry = decodeFdb(parser, message, names.of);
  if (link === undefined) return undefined;
  return { group: "neighbour", action, link, ...(entry && { mac: entry.mac, to: entry.remote }) };
}
