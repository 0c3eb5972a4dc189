/**
 * Which link carries the tunnel: the default route's, or the first that fits what `--iface` asks for. A host that is in
 * the network stays where it is as long as that is whole: routes come and go, and its peers know its address.
 */
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import { type Family, formatIp, isLinkLocal, parseIp } from "../net/ip.ts";
import { quoted } from "../net/text.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelObject } from "../kernel/state.ts";
import type { Host, Underlay } from "../backends/backend.ts";
import { carriedAddresses, defaultLinks, type HeldBack, heldBackAddress } from "./surroundings.ts";

/** The underlay that this host is in the network by. */
export interface FormerUnderlay {
  readonly link: string;
  /** Of the network's first family. */
  readonly address: string;
  /** Of the second one. */
  readonly address6?: string | undefined;
}

/** The `op` of an error that an address may end which the kernel still looks for a duplicate of. */
export const COMING = "underlay.coming";

export interface UnderlayWish {
  /** What a dump of the kernel gave. */
  readonly objects: readonly KernelObject[];
  /** Those of the network, the first one first. */
  readonly families: readonly Family[];
  readonly wishes: readonly string[];
  readonly publicIp: string | undefined;
  readonly publicIp6: string | undefined;
  readonly former?: FormerUnderlay | undefined;
}

/** A link that can carry the network's families, with an address of each. */
export interface Ground {
  /** Of the first family. */
  readonly underlay: Underlay;
  /** The same link with its IPv6 address, in dual stack. */
  readonly ipv6: Underlay | undefined;
}

/**
 * Finds the underlay; in dual stack it is a link that has addresses of both families. `wishes` are tried in order: a
 * link's name, an address that a link carries,
 * `regex:PATTERN` (matched against addresses first, then names) or `can-reach:ADDRESS` (the kernel's route to
 * it). Without wishes it is the link that carries one of the public addresses, else the `former` one while that is whole
 * (up, with carrier and its address), else the one of the first family's default route with the lowest metric, else the
 * former one if only its link is not whole. Another address of a former link is taken only where a default route leads
 * over it: what is there meanwhile, as while DHCP asks, is nobody's to announce. Throws `invalid` where no wish fits, and
 * `failed` where none was made and none is found yet, with what there is to choose from.
 */
export async function findUnderlay(
  kernel: Pick<Kernel, "routeGet">,
  { objects, families, wishes, publicIp, publicIp6, former }: UnderlayWish,
): Promise<Ground> {
  const candidates = candidatesOf(objects, { families, publicIp6, named: [...wishes, publicIp6] });
  const held = families.includes(6) ? heldBackAddress(objects) : undefined;
  const needed = families.length > 1 ? "IPv4 and IPv6 addresses" : `an IPv${families[0]} address`;
  if (wishes.length > 0) {
    for (const wish of wishes) {
      const found = await fitting(kernel, candidates, wish);
      if (found !== undefined) return found;
    }
    const why = `--iface ${wishes.join(", ")} fits no link with ${needed}`;
    throw none(candidates, { why, needed, held, code: "invalid" });
  }
  const carrying =
    [publicIp, publicIp6].flatMap((address) =>
      address === undefined ? [] : candidates.withAddress(address) ?? []
    )[0];
  const found = carrying ?? usual(candidates, former);
  if (found !== undefined) return found;
  // Nothing was asked for that somebody must correct: the network may only not be there yet.
  const instead = candidates.hasDefault
    ? `no default route is over a link with ${needed}`
    : "there is no default route";
  const why = former === undefined ? instead : `${lossOf(objects, former)}, and ${instead}`;
  throw none(candidates, { why, needed, held, code: "failed" });
}

function usual(candidates: Candidates, former: FormerUnderlay | undefined): Ground | undefined {
  if (former === undefined) return candidates.ofDefaultRoute();
  const before = candidates.with(former);
  if (before !== undefined && candidates.isWhole(before)) return before;
  const other = candidates.ofDefaultRoute(former);
  return other !== undefined && candidates.isWhole(other) ? other : before;
}

/** What a host's underlay is to whoever looks for it again. */
export function formerOf(
  { underlay: { link, address }, ipv6 }: Pick<Host, "underlay" | "ipv6">,
): FormerUnderlay {
  return ipv6 === undefined ? { link, address } : { link, address, address6: ipv6.underlay.address };
}

/** What of it is gone, as a clause. */
function lossOf(objects: readonly KernelObject[], { link, address, address6 }: FormerUnderlay): string {
  const isThere = objects.some((one) => one.kind === "link" && one.name === link);
  if (!isThere) return `link ${link} is gone`;
  const isGone = (text: string) =>
    !objects.some((one) => one.kind === "address" && one.link === link && one.address.startsWith(`${text}/`));
  const gone = address6 !== undefined && !isGone(address) ? address6 : address;
  return `address ${gone} is gone from link ${link}`;
}

type Candidates = ReturnType<typeof candidatesOf>;

function candidatesOf(
  objects: readonly KernelObject[],
  { families: [first = 4, second], publicIp6, named: addressed }: {
    families: readonly Family[];
    publicIp6: string | undefined;
    named: readonly (string | undefined)[];
  },
) {
  const firsts = carriedAddresses(objects, first, addressed);
  const seconds = second === undefined
    ? [undefined]
    : preferred(carriedAddresses(objects, second, addressed), publicIp6);
  const all = firsts.flatMap((underlay) =>
    seconds.filter((one) => one === undefined || one.link === underlay.link)
      .map((ipv6): Ground => ({ underlay, ipv6 }))
  );
  const defaults = defaultLinks(objects, first);
  const carrying = new Set(objects.flatMap((o) => o.kind === "link" && o.up && !o.noCarrier ? [o.name] : []));
  const isWhole = ({ underlay }: Ground) => carrying.has(underlay.link);
  const named = (name: string) => all.find((one) => one.underlay.link === name);
  return {
    all,
    hasDefault: defaults.length > 0,
    named,
    withAddress: (address: string) => all.find((one) => addressesOf(one).includes(address)),
    /** With both addresses, or else the first one. */
    with: ({ address, address6 }: FormerUnderlay) => {
      const same = all.filter(({ underlay }) => underlay.address === address);
      return same.find(({ ipv6 }) => ipv6?.address === address6) ?? same[0];
    },
    isWhole,
    /** Instead of a former one, no address that a host gives itself is good enough. */
    ofDefaultRoute: (former?: FormerUnderlay) => {
      const fit = all.filter(({ underlay: { address } }) =>
        former === undefined || address === former.address || !isLinkLocal(parseIp(address))
      );
      const on = (name: string) =>
        fit.find(({ underlay }) => underlay.link === name && underlay.address === former?.address) ??
          fit.find(({ underlay }) => underlay.link === name);
      const byMetric = defaults.flatMap((name) => on(name) ?? []);
      return byMetric.find(isWhole) ?? byMetric[0];
    },
  };
}

/** The one with `address` before the others. */
function preferred(all: readonly Underlay[], address: string | undefined): readonly Underlay[] {
  return [...all.filter((one) => one.address === address), ...all.filter((one) => one.address !== address)];
}

function addressesOf({ underlay, ipv6 }: Ground): readonly string[] {
  return ipv6 === undefined ? [underlay.address] : [underlay.address, ipv6.address];
}

async function fitting(
  kernel: Pick<Kernel, "routeGet">,
  candidates: Candidates,
  wish: string,
): Promise<Ground | undefined> {
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
    return candidates.all.find((one) => addressesOf(one).some((address) => pattern.test(address))) ??
      candidates.all.find((one) => pattern.test(one.underlay.link));
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

function none(
  candidates: Candidates,
  { why, needed, held, code }: {
    why: string;
    needed: string;
    held: HeldBack | undefined;
    code: "invalid" | "failed";
  },
): FlanError {
  const known = candidates.all.map((one) => `${one.underlay.link} (${addressesOf(one).join(" and ")})`);
  const shown = quoted(known.join(", ") || "none", 400).slice(1, -1);
  const isDuplicate = held?.isDuplicate === true;
  const state = isDuplicate
    ? "is a duplicate: another host on that link has it"
    : "is tentative or deprecated";
  const also = held === undefined ? "" : `; ${held.place} ${state}`;
  return new FlanError(
    `Cannot choose the underlay interface: ${why}${also}; links with ${needed}: ${shown}`,
    {
      op: held === undefined || isDuplicate ? "underlay" : COMING,
      code,
      hint: isDuplicate ? "give this host an address that no other one has" : "name one with --iface",
    },
  );
}
