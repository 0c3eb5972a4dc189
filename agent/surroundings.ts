/** What of a host is not flan's: its links, their addresses, the routes over them, and who is on the link. Pure. */
import {
  covers,
  type Family,
  familyOf,
  formatCidr,
  formatIp,
  isHostAddress,
  isLinkLocal,
  parseCidr,
  parsePrefix,
} from "../net/ip.ts";
import { isFlans } from "../kernel/ownership.ts";
import { type Address, type KernelObject, type Link, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";
import type { Underlay } from "../backends/backend.ts";

const DEFAULT: Readonly<Record<Family, string>> = { 4: "0.0.0.0/0", 6: "::/0" };

/**
 * The addresses of this host on other links than flan's, and the gateways of the routes over those. Link-local ones of
 * IPv6 are left out: each link has one, and no overlay holds them.
 */
export function localAddresses(objects: readonly KernelObject[]): readonly string[] {
  const all = ([4, 6] as const).flatMap((family) => {
    const { addresses, gateways } = surroundings(objects, family);
    const own = addresses.map(({ address }) => parsePrefix(address).ip);
    return [
      ...own.filter((ip) => family === 4 || !isLinkLocal(ip)).map(formatIp),
      ...gateways.map(({ gateway }) => gateway),
    ];
  });
  return [...new Set(all)];
}

/**
 * An underlay for each address that a host can be known by: global ones before link-local ones, in the kernel's order
 * otherwise. Tentative, deprecated and temporary ones of IPv6 are none, nor are its link-local ones that are not among
 * `named`: each link has one, before it has any other.
 */
export function carriedAddresses(
  objects: readonly KernelObject[],
  family: Family,
  named: readonly (string | undefined)[] = [],
): readonly Underlay[] {
  const { links, addresses, gateways, routes } = surroundings(objects, family);
  return addresses.filter(({ passing }) => passing !== true)
    .map((o) => ({ link: links.get(o.link)!, ip: parsePrefix(o.address).ip }))
    .filter(({ ip }) => isHostAddress(ip))
    .filter(({ ip }) => family === 4 || !isLinkLocal(ip) || named.includes(formatIp(ip)))
    .sort((a, b) => Number(isLinkLocal(a.ip)) - Number(isLinkLocal(b.ip)))
    .map(({ link, ip }): Underlay => ({
      link: link.name,
      address: formatIp(ip),
      up: link.up,
      mtu: link.mtu,
      gateways: [...new Set(gateways.filter((one) => one.link === link.name).map((one) => one.gateway))],
      ...neighbourhood(link, { routes, addresses, family }),
    }));
}

/** An address that a host could be known by, if the kernel let it. */
export interface HeldBack {
  /** `2001:db8::1 on eth0`. */
  readonly place: string;
  /** Whether another host has it, too: then it is waited for in vain. */
  readonly isDuplicate: boolean;
}

/**
 * An address of IPv6 that is held back, of a link that has no other one: it is tentative or deprecated, or else a
 * duplicate. Undefined where there is none.
 */
export function heldBackAddress(objects: readonly KernelObject[]): HeldBack | undefined {
  const there = new Set(carriedAddresses(objects, 6).map(({ link }) => link));
  const held = surroundings(objects, 6).addresses.filter(({ link, address, passing }) =>
    passing === true && !there.has(link) && !isLinkLocal(parsePrefix(address).ip)
  );
  const one = held.find(({ duplicate }) => duplicate !== true) ?? held[0];
  return one && {
    place: `${formatIp(parsePrefix(one.address).ip)} on ${one.link}`,
    isDuplicate: one.duplicate === true,
  };
}

/** The links of the default routes of this family, the one with the lowest metric first. */
export function defaultLinks(objects: readonly KernelObject[], family: Family): readonly string[] {
  return surroundings(objects, family).routes.filter(({ destination }) => destination === DEFAULT[family])
    .sort((a, b) => a.metric - b.metric).map(({ link }) => link);
}

/** What is not flan's: links by name, their addresses of a family, and the routes over them that have a gateway. */
function surroundings(objects: readonly KernelObject[], family: Family) {
  const links = new Map(
    objects.filter((o): o is Link => o.kind === "link" && !isFlans(o.alias)).map((l) => [l.name, l]),
  );
  const isOf = (text: string) => text !== "" && familyOf(text) === family;
  // flan's own routes may lie on any link, by its peers' addresses.
  const routes = objects.filter((o): o is Route =>
    o.kind === "route" && links.has(o.link) && o.protocol !== ROUTE_PROTOCOL && isOf(o.destination)
  );
  return {
    links,
    addresses: objects.filter((o): o is Address =>
      o.kind === "address" && links.has(o.link) && isOf(o.address)
    ),
    routes,
    gateways: routes.filter(({ gateway }) => isOf(gateway)),
  };
}

/**
 * Who is on the link itself. A default route without a gateway, as on a point-to-point link, makes nobody a neighbour.
 */
function neighbourhood(
  { name: link, up }: Link,
  { routes, addresses, family }: {
    routes: readonly Route[];
    addresses: readonly Address[];
    family: Family;
  },
): Pick<Underlay, "onLink" | "offLink"> {
  const over = routes.filter((one) =>
    one.link === link && one.type === "unicast" && one.destination !== DEFAULT[family]
  );
  const onLink = over.filter(({ gateway }) => gateway === "").map(({ destination }) => destination);
  // The routes of its addresses went with it, and come back with it: nobody has moved.
  const coming = up ? [] : addresses.filter((one) => one.link === link)
    .map(({ address }) => formatCidr(parsePrefix(address).cidr));
  onLink.push(...coming);
  const within = onLink.map(parseCidr);
  const beyond = over.filter(({ gateway, destination }) =>
    gateway !== "" && within.some((prefix) => covers(prefix, parseCidr(destination)))
  ).map(({ destination }) => destination);
  return { onLink: [...new Set(onLink)].sort(), offLink: [...new Set(beyond)].sort() };
}
