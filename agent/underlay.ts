/**
 * Which link carries the tunnel: the default route's, or the first that fits what `--iface` asks for. A host that is in
 * the network stays where it is as long as that is whole: routes come and go, and its peers know its address.
 */
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import {
  covers,
  formatCidr,
  formatIp,
  isHostAddress,
  isLinkLocal,
  parseCidr,
  parseIp,
  parsePrefix,
} from "../net/ip.ts";
import { quoted } from "../net/text.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isFlans } from "../kernel/ownership.ts";
import { type Address, type KernelObject, type Link, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";
import type { Underlay } from "../backends/backend.ts";

const DEFAULT = "0.0.0.0/0";

/** The underlay that this host is in the network by. */
export type FormerUnderlay = Pick<Underlay, "link" | "address">;

export interface UnderlayWish {
  /** What a dump of the kernel gave. */
  readonly objects: readonly KernelObject[];
  readonly wishes: readonly string[];
  readonly publicIp: string | undefined;
  readonly former?: FormerUnderlay | undefined;
}

/**
 * Finds the underlay. `wishes` are tried in order: a link's name, an address that a link carries,
 * `regex:PATTERN` (matched against addresses first, then names) or `can-reach:ADDRESS` (the kernel's route to
 * it). Without wishes it is the link that carries `publicIp`, else the `former` one while that is whole (up, with carrier
 * and its address), else the one of the default route with the lowest metric, else the former one if only its link is not
 * whole. Another address of a former link is taken only where a default route leads over it: what is there meanwhile, as
 * while DHCP asks, is nobody's to announce. Throws `invalid` where no wish fits, and `failed` where none was made and none
 * is found yet, with what there is to choose from.
 */
export async function findUnderlay(
  kernel: Pick<Kernel, "routeGet">,
  { objects, wishes, publicIp, former }: UnderlayWish,
): Promise<Underlay> {
  const candidates = candidatesOf(objects);
  if (wishes.length > 0) {
    for (const wish of wishes) {
      const found = await fitting(kernel, candidates, wish);
      if (found !== undefined) return found;
    }
    const why = `--iface ${wishes.join(", ")} fits no link with an IPv4 address`;
    throw none(candidates, { why, code: "invalid" });
  }
  const carrying = publicIp === undefined ? undefined : candidates.withAddress(publicIp);
  const found = carrying ?? usual(candidates, former);
  // Nothing was asked for that somebody must correct: the network may only not be there yet.
  if (found === undefined) throw none(candidates, { why: whyNone(objects, former), code: "failed" });
  return found;
}

function usual(candidates: Candidates, former: FormerUnderlay | undefined): Underlay | undefined {
  if (former === undefined) return candidates.ofDefaultRoute();
  const before = candidates.withAddress(former.address);
  if (before !== undefined && candidates.isWhole(before)) return before;
  const other = candidates.ofDefaultRoute(former);
  return other !== undefined && candidates.isWhole(other) ? other : before;
}

function whyNone(objects: readonly KernelObject[], former: FormerUnderlay | undefined): string {
  const instead = "there is no default route";
  if (former === undefined) return instead;
  const { link, address } = former;
  const isThere = objects.some((one) => one.kind === "link" && one.name === link);
  return `${
    isThere ? `address ${address} is gone from link ${link}` : `link ${link} is gone`
  }, and ${instead}`;
}

/** The IPv4 addresses of this host on other links than flan's, and the gateways of the routes over those. */
export function localAddresses(objects: readonly KernelObject[]): readonly string[] {
  const { addresses, gateways } = surroundings(objects);
  const own = addresses.map(({ address }) => formatIp(parsePrefix(address).ip));
  return [...new Set([...own, ...gateways.map(({ gateway }) => gateway)])];
}

/** What is not flan's: links by name, their IPv4 addresses, and the routes over them that have a gateway. */
function surroundings(objects: readonly KernelObject[]) {
  const links = new Map(
    objects.filter((o): o is Link => o.kind === "link" && !isFlans(o.alias)).map((l) => [l.name, l]),
  );
  // flan's own routes may lie on any link, by its peers' addresses.
  const routes = objects.filter((o): o is Route =>
    o.kind === "route" && links.has(o.link) && o.protocol !== ROUTE_PROTOCOL && isIpv4(o.destination)
  );
  return {
    links,
    addresses: objects.filter((o): o is Address =>
      o.kind === "address" && links.has(o.link) && isIpv4(o.address)
    ),
    routes,
    gateways: routes.filter(({ gateway }) => isIpv4(gateway)),
  };
}

function isCarrying({ up, noCarrier }: Link): boolean {
  return up && !noCarrier;
}

function isIpv4(text: string): boolean {
  return text !== "" && !text.includes(":");
}

/**
 * Who is on the link itself. A default route without a gateway, as on a point-to-point link, makes nobody a neighbour.
 */
function neighbourhood(
  { name: link, up }: Link,
  { routes, addresses }: { routes: readonly Route[]; addresses: readonly Address[] },
): Pick<Underlay, "onLink" | "offLink"> {
  const over = routes.filter((one) =>
    one.link === link && one.type === "unicast" && one.destination !== DEFAULT
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

type Candidates = ReturnType<typeof candidatesOf>;

function candidatesOf(objects: readonly KernelObject[]) {
  const { links, addresses, gateways, routes } = surroundings(objects);
  const defaults = routes.filter(({ destination }) => destination === DEFAULT);
  const carried = addresses
    .map((o) => ({ link: links.get(o.link)!, ip: parsePrefix(o.address).ip }))
    .filter(({ ip }) => isHostAddress(ip))
    // Global addresses before link-local ones; the kernel's order otherwise.
    .sort((a, b) => Number(isLinkLocal(a.ip)) - Number(isLinkLocal(b.ip)))
    .map(({ link, ip }): Underlay => ({
      link: link.name,
      address: formatIp(ip),
      up: link.up,
      mtu: link.mtu,
      gateways: [...new Set(gateways.filter((one) => one.link === link.name).map((one) => one.gateway))],
      ...neighbourhood(link, { routes, addresses }),
    }));
  const isWhole = ({ link }: Underlay) => isCarrying(links.get(link)!);
  return {
    all: carried,
    named: (name: string) => carried.find((one) => one.link === name),
    withAddress: (address: string) => carried.find((one) => one.address === address),
    isWhole,
    /** Instead of a former one, no address that a host gives itself is good enough. */
    ofDefaultRoute: (former?: FormerUnderlay) => {
      const fit = carried.filter(({ address }) =>
        former === undefined || address === former.address || !isLinkLocal(parseIp(address))
      );
      const on = (name: string) =>
        fit.find((one) => one.link === name && one.address === former?.address) ??
          fit.find((one) => one.link === name);
      const byMetric = defaults.toSorted((a, b) => a.metric - b.metric)
        .flatMap((route) => on(route.link) ?? []);
      return byMetric.find(isWhole) ?? byMetric[0];
    },
  };
}

async function fitting(
  kernel: Pick<Kernel, "routeGet">,
  candidates: Candidates,
  wish: string,
): Promise<Underlay | undefined> {
  if (wish.startsWith("can-reach:")) {
    const target = reachable(wish.slice("can-reach:".length));
    const answer = await kernel.routeGet(target).catch((error) => {
      if (error instanceof FlanError && error.code === "kernel") return undefined;
      throw error;
    });
    return answer && (candidates.withAddress(answer.source) ?? candidates.named(answer.link));
  }
  if (wish.startsWith("regex:")) {
    const pattern = compile(wish.slice("regex:".length));
    return candidates.all.find((one) => pattern.test(one.address)) ??
      candidates.all.find((one) => pattern.test(one.link));
  }
  return candidates.named(wish) ?? candidates.withAddress(wish);
}

function reachable(address: string): string {
  try {
    return formatIp(parseIp(address));
  } catch (error) {
    const reason = messageOf(error).replace(/^Cannot parse address .*?: /, "");
    throw invalid("underlay", `Cannot use --iface ${quoted(`can-reach:${address}`)}: ${reason}`);
  }
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch {
    throw invalid(
      "underlay",
      `Cannot use --iface ${quoted(`regex:${pattern}`)}: it is not a regular expression`,
    );
  }
}

function none(candidates: Candidates, { why, code }: { why: string; code: "invalid" | "failed" }): FlanError {
  const known = candidates.all.map((one) => `${one.link} (${one.address})`).join(", ") || "none";
  const shown = quoted(known, 400).slice(1, -1);
  return new FlanError(`Cannot choose the underlay interface: ${why}; links with an IPv4 address: ${shown}`, {
    op: "underlay",
    code,
    hint: "name one with --iface",
  });
}
