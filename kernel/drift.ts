/** How far the kernel is from the plan, and the changes that mend it. Pure. */
import { familyOf } from "../net/ip.ts";
import { delta } from "./delta.ts";
import type { Change } from "./kernel.ts";
import { settingsOfPeer, withLivingEndpoint } from "./wireguard.ts";
import { settingsOfState } from "./xfrm.ts";
import { type Claim, claims, type Owner } from "./ownership.ts";
import { byRank, changeable, dependsOn, isBarrier, isProxys, linkOf, proxyOf } from "./relations.ts";
import {
  type KernelObject,
  keyOf,
  type Link,
  type NeighbourState,
  type ObjectKind,
  sameObject,
} from "./state.ts";

/** How a desired object stands in the kernel; `foreign` means that somebody else's is in its place. */
export type ObjectState = "ok" | "missing" | "wrong" | "foreign";

export interface Drift {
  /** In the order in which they are to be carried out. */
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** By `keyOf`, one for every desired object. */
  readonly state: Map<string, ObjectState>;
}

/** What somebody else can have, too: processes and hooks are found in our own run directory, forward rules beside others'. */
type SharedKind = Exclude<ObjectKind, "proxy" | "proxy-route" | "encap-socket" | "hook" | "forward-rules">;

/** Somebody else's object stands where ours should. Nothing is done about it. */
export interface Conflict {
  /** `foreign-link`, `foreign-route`, `foreign-nexthop`, `foreign-neighbour`, … */
  readonly code: `foreign-${SharedKind}`;
  readonly wanted: KernelObject;
  readonly found: KernelObject;
}

/**
 * Compares the plan with what is there. A link that must be made anew takes everything on it along, and a new
 * MAC takes the link's neighbours along, so these count as missing. Of two desired objects with one key the
 * first counts.
 */
export function drift(desired: Iterable<KernelObject>, actual: Iterable<KernelObject>, owner: Owner): Drift {
  const wanted = new Map<string, KernelObject>();
  for (const object of desired) {
    const key = keyOf(object);
    if (!wanted.has(key)) wanted.set(key, object);
  }
  const found = [...actual];
  const claim = claims(owner, found);
  const links = judgeLinks(wanted, found, claim);
  const left = found.filter((object) => remains(object, links)).map((object) => idle(object, links));
  const standing = index(left, wanted, claim);

  const state = new Map<string, ObjectState>();
  const conflicts: Conflict[] = [];
  const attempted = withoutForeign({ wanted, standing, claim, state, conflicts });
  const difference = delta(attempted, standing, satisfies);

  const make: Change[] = [];
  for (const object of difference.add) {
    state.set(keyOf(object), links.remade.has(keyOf(object)) ? "wrong" : "missing");
    make.push({ verb: "add", object });
  }
  for (const { to } of difference.change) {
    state.set(keyOf(to), "wrong");
    make.push({ verb: "replace", object: to });
  }
  const remove = strays(left, { wanted, standing, links, claim });
  make.sort((a, b) => byRank(a.object, b.object));
  const changes = [
    ...make.filter(({ object }) => isBarrier(object)),
    ...links.removedFirst.map((object): Change => ({ verb: "delete", object })),
    ...make.filter(({ object }) => !isBarrier(object)),
    ...remove.sort((a, b) => byRank(b, a)).map((object): Change => ({ verb: "delete", object })),
  ];
  return { changes, conflicts, state };
}

interface LinkJudgement {
  /** Links that are deleted before anything is made: made anew, or in the way of one that is to be made. */
  readonly removedFirst: readonly Link[];
  readonly removedFirstNames: ReadonlySet<string>;
  /** Keys of desired links that exist with parameters that cannot be changed. */
  readonly remade: ReadonlySet<string>;
  /** Ours, not desired, and in nobody's way: deleted at the very end. */
  readonly removedLast: ReadonlySet<string>;
  /** Names of links that are there and stay. */
  readonly kept: ReadonlySet<string>;
  /** Links that get another MAC. */
  readonly renumbered: ReadonlySet<string>;
}

function judgeLinks(
  wanted: ReadonlyMap<string, KernelObject>,
  found: readonly KernelObject[],
  claim: (object: KernelObject) => Claim,
): LinkJudgement {
  const ours = found.filter((object): object is Link => object.kind === "link" && claim(object) === "ours");
  const present = new Set(found.filter((object) => object.kind === "link").map(keyOf));
  const removedFirst: Link[] = [];
  const remade = new Set<string>();
  const renumbered = new Set<string>();
  for (const link of ours) {
    const to = wanted.get(keyOf(link));
    if (to?.kind !== "link") continue;
    if (!changeable(link, to)) {
      remade.add(keyOf(link));
      removedFirst.push(link);
    } else if (link.mac !== to.mac) renumbered.add(link.name);
  }
  const coming = new Set<string>();
  for (const [key, object] of wanted) {
    if (object.kind === "link" && (remade.has(key) || !present.has(key))) coming.add(placeOf(object));
  }
  const stray = ours.filter((link) => !wanted.has(keyOf(link)));
  // A renamed device of ours still holds its place, and the kernel refuses a second one (EEXIST).
  const inTheWay = stray.filter((link) => placeOf(link) !== "" && coming.has(placeOf(link)));
  removedFirst.push(...inTheWay);
  const removedFirstNames = new Set(removedFirst.map((link) => link.name));
  const removedLast = new Set(stray.map((link) => link.name).filter((name) => !removedFirstNames.has(name)));
  const kept = new Set<string>();
  for (const object of found) {
    if (object.kind === "link" && !removedFirstNames.has(object.name)) kept.add(object.name);
  }
  return { removedFirst, removedFirstNames, remade, removedLast, kept, renumbered };
}

/**
 * What only one device of a namespace can have, whatever its name; "" where it has no such thing. VXLAN devices of IPv4
 * and of IPv6 do not meet.
 */
function placeOf({ vxlan, ipip, xfrm }: Link): string {
  if (xfrm !== undefined) return `xfrm ${xfrm.interfaceId}`;
  if (vxlan !== undefined) return `vni ${vxlan.vni} of IPv${familyOf(vxlan.local)}`;
  return ipip === undefined ? "" : `ipip ${ipip.local} ${ipip.remote}`;
}

/** Whether the object is still there once the links are as desired. */
function remains(object: KernelObject, links: LinkJudgement): boolean {
  if (object.kind === "link") return !links.removedFirstNames.has(object.name);
  if (isProxys(object)) return true;
  const link = linkOf(object);
  if (links.removedFirstNames.has(link)) return false;
  return !(object.kind === "neighbour" && links.renumbered.has(link));
}

/** A proxy whose link is not there any more carries nothing, even if it has not noticed yet. */
function idle(object: KernelObject, { kept }: LinkJudgement): KernelObject {
  if (object.kind !== "proxy" || !object.carrying || kept.has(object.link)) return object;
  return { ...object, carrying: false };
}

/** By key. Where the kernel holds several of one key, the one that will do counts, or else one of ours. */
function index(
  found: readonly KernelObject[],
  wanted: ReadonlyMap<string, KernelObject>,
  claim: (object: KernelObject) => Claim,
): Map<string, KernelObject> {
  const standing = new Map<string, KernelObject>();
  for (const object of found) {
    const key = keyOf(object);
    const other = standing.get(key);
    if (other !== undefined) {
      const to = wanted.get(key);
      if (to !== undefined && satisfies(to, other)) continue;
      if (claim(other) === "ours" && !(to !== undefined && satisfies(to, object))) continue;
    }
    standing.set(key, object);
  }
  return standing;
}

/** The desired objects without those that meet somebody else's, and without all that hangs on such. */
function withoutForeign(context: {
  wanted: ReadonlyMap<string, KernelObject>;
  standing: ReadonlyMap<string, KernelObject>;
  claim: (object: KernelObject) => Claim;
  state: Map<string, ObjectState>;
  conflicts: Conflict[];
}): ReadonlyMap<string, KernelObject> {
  const { wanted, standing, claim, state, conflicts } = context;
  const blocked = new Set<string>();
  for (const [key, object] of wanted) {
    const found = standing.get(key);
    if (found === undefined || claim(found) !== "foreign") continue;
    if (object.kind !== "link" && satisfies(object, found)) continue;
    blocked.add(key);
    conflicts.push({ code: `foreign-${object.kind as SharedKind}`, wanted: object, found });
  }
  if (blocked.size === 0) {
    for (const key of wanted.keys()) state.set(key, "ok");
    return wanted;
  }
  const attempted = new Map<string, KernelObject>();
  for (const [key, object] of wanted) {
    const foreign = dependsOn(object, blocked);
    state.set(key, foreign ? "foreign" : "ok");
    if (!foreign) attempted.set(key, object);
  }
  return attempted;
}

/** What is ours and not desired, except what goes with a link or a proxy that is deleted anyway. */
function strays(
  left: readonly KernelObject[],
  context: {
    wanted: ReadonlyMap<string, KernelObject>;
    standing: ReadonlyMap<string, KernelObject>;
    links: LinkJudgement;
    claim: (object: KernelObject) => Claim;
  },
): KernelObject[] {
  const { wanted, standing, links, claim } = context;
  const kept = new Set<KernelObject>();
  for (const key of wanted.keys()) {
    const object = standing.get(key);
    if (object !== undefined) kept.add(object);
  }
  const goesAlong = (object: KernelObject) =>
    isProxys(object)
      ? standing.has(proxyOf(object)) && !wanted.has(proxyOf(object))
      : links.removedLast.has(linkOf(object));
  return left.filter((object) => !kept.has(object) && !goesAlong(object) && claim(object) === "ours");
}

/** NUD states in which an entry carries packets; it may age and is confirmed by use. */
const resolved: ReadonlySet<NeighbourState> = new Set(["reachable", "stale", "delay", "permanent"]);

/** Whether what is there will do for what is desired. */
export function satisfies(wanted: KernelObject, found: KernelObject): boolean {
  if (wanted.kind === "neighbour" && wanted.state === "reachable" && found.kind === "neighbour") {
    return found.mac === wanted.mac && resolved.has(found.state) && found.protocol === wanted.protocol;
  }
  if (wanted.kind === "wireguard-peer" && found.kind === "wireguard-peer") {
    return sameObject(withLivingEndpoint(wanted, found), settingsOfPeer(found));
  }
  if (wanted.kind === "xfrm-state" && found.kind === "xfrm-state") {
    return sameObject(settingsOfState(wanted), settingsOfState(found));
  }
  return sameObject(wanted, found);
}
