/**
 * What in the kernel is flan's. Routes, nexthops and neighbours carry route protocol 113, links an alias that
 * begins with `flan`, rules of the packet filter such a comment, IPsec states and policies a number made of that; FDB entries and addresses are owned by living on
 * our link. There are backends without a device, whose routes lie on a link that no flan made: there a marked route is
 * ours inside a network of this host, for other flans of this namespace mark theirs alike. What is not ours is never
 * changed or removed.
 */
import { contains, isLinkLocal, parseCidr, parsePrefix } from "../net/ip.ts";
import type { Cidr } from "../net/ip.ts";
import { isStationMac } from "../net/mac.ts";
import { xfrmMark } from "./xfrm.ts";
import { type KernelObject, type Link, LINK_ALIAS, type Neighbour, ROUTE_PROTOCOL } from "./state.ts";

export interface Owner {
  /** The alias of this host's links: `flan` and the node's identity. */
  readonly alias: string;
  /** Names of the links that this host wants; one of them with the bare alias `flan` is taken over. */
  readonly links: readonly string[];
  /** The overlay, as `10.5.0.0/16`. Where it is not known, no address is ours for itself, and no route elsewhere. */
  readonly network?: string;
  /** The IPv6 half of a dual-stack overlay. */
  readonly network6?: string;
  /** Subnets that this host had in former networks; what is left of them on our links is ours too. */
  readonly former?: readonly string[];
  /** Networks that this host was in; what is left of their marked routes is ours too. */
  readonly networks?: readonly string[];
  /** MACs that this host keeps for its links. */
  readonly macs?: readonly string[];
}

/**
 * `ours`: ours to change and to remove. `kernel`: made by the kernel itself, in nobody's way and replaced
 * where a plan wants its key. `foreign`: somebody else's.
 */
export type Claim = "ours" | "kernel" | "foreign";

/** Whose each object of `actual` is; the links in `actual` decide about what lives on them. */
export function claims(owner: Owner, actual: Iterable<KernelObject>): (object: KernelObject) => Claim {
  const wanted = new Set(owner.links);
  const existing = new Set<string>();
  const ours = new Set<string>();
  const others = new Set<string>();
  for (const object of actual) {
    if (object.kind !== "link") continue;
    existing.add(object.name);
    if (isOurLink(object, owner, wanted)) ours.add(object.name);
    else if (isFlans(object.alias)) others.add(object.name);
  }
  const current = [owner.network, owner.network6].flatMap((one) => one === undefined ? [] : [parseCidr(one)]);
  const held = [...current, ...(owner.former ?? []).map((subnet) => parseCidr(subnet))];
  const networks = [...current, ...(owner.networks ?? []).map((network) => parseCidr(network))];
  // A hash, for which most hosts have no use, and what makes it takes longer to load than all of this.
  let mark: number | undefined;
  const isOurs = (subject: string) => networks.some((one) => inside(one, subject));

  return (object) => {
    switch (object.kind) {
      case "link":
        return ours.has(object.name) ? "ours" : "foreign";
      case "address":
        return ours.has(object.link) ? claimAddress(object.address, held) : "foreign";
      case "fdb":
      case "wireguard-peer":
        return ours.has(object.link) ? "ours" : "foreign";
      case "neighbour":
        return ours.has(object.link) ? claimNeighbour(object) : "foreign";
      case "nexthop":
        return marked(object) &&
            (ours.has(object.link) || !existing.has(object.link) && isOurs(object.gateway))
          ? "ours"
          : "foreign";
      case "route":
        return marked(object) &&
            (ours.has(object.link) || !others.has(object.link) && isOurs(object.destination))
          ? "ours"
          : "foreign";
      case "xfrm-state":
      case "xfrm-policy":
        return object.requestId === (mark ??= xfrmMark(owner.alias)) ? "ours" : "foreign";
      case "sysctl":
        return "kernel";
      // An empty table of our name is ours, flushed by somebody; what is in it may be another flan's or anybody's.
      case "masquerade": {
        const isEmpty = object.alias === "" && object.rules.length === 0;
        return isEmpty || object.alias === owner.alias ? "ours" : "foreign";
      }
      case "forward-rules":
        if (object.alias === "") return "kernel";
        return object.alias === owner.alias ? "ours" : "foreign";
      // Whoever can be asked in our run directory is ours, and what is written there that we did.
      case "hook":
      case "proxy":
      case "proxy-route":
      case "encap-socket":
        return "ours";
    }
  };
}

function isOurLink(link: Link, owner: Owner, wanted: ReadonlySet<string>): boolean {
  if (link.alias === owner.alias) return true;
  // A link gets its alias a moment after it was made. One that has our MAC, was never up and bears no alias was
  // being made when its maker was killed.
  const unnamed = link.alias === "" && !link.up && link.mac !== "";
  if (unnamed && owner.macs?.includes(link.mac)) return true;
  if (wanted.has(link.name) && isUnfinished(link)) return true;
  // Another node's alias is another flan's in this namespace, and a live network may hang on it.
  return wanted.has(link.name) && link.alias === LINK_ALIAS;
}

/** WireGuard's links have no MAC. One that nobody gave a name, a key or a port yet, and that is down, carries nothing. */
function isUnfinished({ alias, up, wireguard }: Link): boolean {
  return alias === "" && !up && wireguard?.publicKey === "" && wireguard.listenPort === 0;
}

/** Whether a link's alias, or a rule's comment, says that a flan made it, of whichever node. */
export function isFlans(alias: string): boolean {
  return alias === LINK_ALIAS || alias.startsWith(`${LINK_ALIAS} `);
}

/** Whether an object bears a flan's mark, of whichever node. What owes its place to its link only bears none. */
export function bearsMark(object: KernelObject): boolean {
  switch (object.kind) {
    case "link":
    case "masquerade":
    case "forward-rules":
      return isFlans(object.alias);
    case "route":
    case "nexthop":
    case "neighbour":
      return marked(object);
    default:
      return false;
  }
}

function marked(object: { readonly protocol: number }): boolean {
  return object.protocol === ROUTE_PROTOCOL;
}

function claimAddress(address: string, networks: readonly Cidr[]): Claim {
  const { ip, cidr } = parsePrefix(address);
  if (cidr.family === 6 && isLinkLocal(ip)) return "kernel";
  const single = cidr.length === (cidr.family === 4 ? 32 : 128);
  return single && networks.some((network) => contains(network, ip)) ? "ours" : "foreign";
}

/**
 * Entries with protocol 0 that came from traffic are the kernel's: it resolves unicast ones and maps multicast
 * and broadcast to group MACs (noarp). A permanent entry without our mark is an administrator's.
 */
function claimNeighbour(entry: Neighbour): Claim {
  if (marked(entry)) return "ours";
  if (entry.protocol !== 0 || entry.state === "permanent") return "foreign";
  if (entry.state === "noarp") return entry.mac === "" || !isStationMac(entry.mac) ? "kernel" : "foreign";
  return "kernel";
}

/** Whether an address or a prefix begins inside the network. */
function inside(network: Cidr, subject: string): boolean {
  if (subject === "") return false;
  const { ip, cidr } = parsePrefix(subject.includes("/") ? subject : `${subject}/${network.length}`);
  return (subject.includes("/") ? cidr.length >= network.length : true) && contains(network, ip);
}
