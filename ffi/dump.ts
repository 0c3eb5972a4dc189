/** Reads the kernel's tables. */
import type { DumpRequest } from "../kernel/kernel.ts";
import type { FdbEntry, KernelObject, Link, Neighbour, Nexthop, Route } from "../kernel/state.ts";
import { FlanError, KernelError } from "../net/errors.ts";
import type { DumpQuery, NetlinkRequests } from "./netlink_requests.ts";
import { decodeAddress } from "./rtnetlink/address.ts";
import {
  AF_BRIDGE,
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  RT_TABLE_MAIN,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETNEXTHOP,
  RTM_GETROUTE,
} from "./rtnetlink/constants.ts";
import type { NameOf } from "./rtnetlink/context.ts";
import {
  decodeLink,
  IFINFOMSG_LENGTH,
  IFLA_EXT_MASK,
  type LinkFields,
  namedLink,
  RTEXT_FILTER_SKIP_STATS,
} from "./rtnetlink/link.ts";
import { decodeFdb, decodeNeighbour, NDA_IFINDEX, NDMSG_LENGTH } from "./rtnetlink/neighbour.ts";
import { decodeNexthop, NHMSG_LENGTH } from "./rtnetlink/nexthop.ts";
import { decodeRoute, RTMSG_LENGTH } from "./rtnetlink/route.ts";
import { readSysctl } from "./sysctl.ts";
import { readTxChecksum } from "./tx_checksum.ts";

/** One `dump` of {@link Kernel}; see there. Throws FlanError `unsupported` where nexthop objects are missing. */
export async function dump(requests: NetlinkRequests, request: DumpRequest): Promise<KernelObject[]> {
  const links = await dumpLinks(requests);
  const names = new Map(links.map((link) => [link.index, link.name]));
  const nameOf: NameOf = (index) => names.get(index);
  const addresses = await table(requests, {
    what: "read addresses",
    type: RTM_GETADDR,
    family: head(8, AF_UNSPEC),
    decode: (parser, message) => decodeAddress(parser, message, nameOf),
  });
  const nexthops = request.linksOnly ? [] : await dumpNexthops(requests, nameOf);
  const routes = request.linksOnly ? [] : [
    ...await dumpRoutes(requests, AF_INET, nameOf),
    ...await dumpRoutes(requests, AF_INET6, nameOf),
  ];
  const wanted = new Set(request.links);
  const onLinks: KernelObject[] = [];
  for (const { index, name } of links) {
    if (!wanted.has(name)) continue;
    for (const object of await dumpNeighbours(requests, index, nameOf)) onLinks.push(object);
  }
  const sysctls = request.sysctls.flatMap((name) => readSysctl(name) ?? []);
  return [
    ...links.map((link) => withTxChecksum(namedLink(link, nameOf), request)),
    ...addresses,
    ...nexthops,
    ...filled(routes, nexthops),
    ...onLinks,
    ...sysctls,
  ];
}

function withTxChecksum(link: Link, { txChecksums = [] }: DumpRequest): Link {
  const txChecksum = txChecksums.includes(link.name) ? readTxChecksum(link.name) : undefined;
  return txChecksum === undefined ? link : { ...link, txChecksum };
}

function dumpLinks(requests: NetlinkRequests): Promise<LinkFields[]> {
  return table(requests, {
    what: "read links",
    type: RTM_GETLINK,
    family: head(IFINFOMSG_LENGTH, AF_UNSPEC),
    filter: [IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS],
    decode: decodeLink,
  });
}

async function dumpNexthops(requests: NetlinkRequests, nameOf: NameOf): Promise<Nexthop[]> {
  try {
    return await table(requests, {
      what: "read nexthops",
      type: RTM_GETNEXTHOP,
      family: head(NHMSG_LENGTH, AF_UNSPEC),
      decode: (parser, message) => decodeNexthop(parser, message, nameOf),
    });
  } catch (error) {
    if (!(error instanceof KernelError) || !["EOPNOTSUPP", "EINVAL"].includes(error.errno)) throw error;
    throw new FlanError(`${error.message}: nexthop objects need Linux 5.3`, {
      op: "kernel.dump",
      code: "unsupported",
      cause: error,
      hint: "uname -r",
    });
  }
}

function dumpRoutes(requests: NetlinkRequests, family: number, nameOf: NameOf): Promise<Route[]> {
  const header = head(RTMSG_LENGTH, family);
  header[4] = RT_TABLE_MAIN;
  return table(requests, {
    what: "read routes",
    type: RTM_GETROUTE,
    family: header,
    // The main table is made with its first route.
    empty: ["ENOENT"],
    decode: (parser, message) =>
      // A kernel without IPv6 answers with the routes of every family it has.
      parser.headU8(message, 0) === family ? decodeRoute(parser, message, nameOf) : undefined,
  });
}

async function dumpNeighbours(
  requests: NetlinkRequests,
  index: number,
  nameOf: NameOf,
): Promise<(Neighbour | FdbEntry)[]> {
  // The kernel filters by link where it can; what it gives is filtered here all the same.
  const onlyIndex: NameOf = (other) => other === index ? nameOf(index) : undefined;
  const neighbours = await table(requests, {
    what: "read neighbours",
    type: RTM_GETNEIGH,
    family: head(NDMSG_LENGTH, AF_UNSPEC),
    filter: [NDA_IFINDEX, index],
    decode: (parser, message) => decodeNeighbour(parser, message, onlyIndex),
  });
  const fdb = await table(requests, {
    what: "read FDB entries",
    type: RTM_GETNEIGH,
    family: head(NDMSG_LENGTH, AF_BRIDGE),
    filter: [NDA_IFINDEX, index],
    decode: (parser, message) => decodeFdb(parser, message, onlyIndex),
  });
  return [...neighbours, ...fdb];
}

interface TableQuery<T> {
  readonly what: string;
  readonly type: number;
  /** The family header. */
  readonly family: Uint8Array<ArrayBuffer>;
  /** A u32 attribute that narrows the dump. */
  readonly filter?: readonly [type: number, value: number];
  readonly empty?: readonly string[];
  readonly decode: (...visit: Parameters<DumpQuery["visit"]>) => T | undefined;
}

async function table<T>(requests: NetlinkRequests, query: TableQuery<T>): Promise<T[]> {
  let rows: T[] = [];
  await requests.dump({
    what: query.what,
    type: query.type,
    empty: query.empty ?? [],
    begin: () => rows = [],
    encode: (message, start) => {
      start(query.family);
      if (query.filter !== undefined) message.putU32(...query.filter);
    },
    visit: (parser, message) => {
      // linux/rtnetlink.h numbers each kind NEW, DEL, GET.
      if (message.type !== query.type - 2) return;
      const row = query.decode(parser, message);
      if (row !== undefined) rows.push(row);
    },
  });
  return rows;
}

/** Routes with the gateway and link of their nexthop, which the kernel may leave out (nexthop_compat_mode). */
function filled(routes: readonly Route[], nexthops: readonly Nexthop[]): Route[] {
  const byId = new Map(nexthops.map((nexthop) => [nexthop.id, nexthop]));
  return routes.map((route) => {
    const nexthop = route.nexthop === 0 ? undefined : byId.get(route.nexthop);
    if (nexthop === undefined) return route;
    return { ...route, gateway: nexthop.gateway, link: nexthop.link, onlink: nexthop.onlink };
  });
}

function head(length: number, family: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  bytes[0] = family;
  return bytes;
}
