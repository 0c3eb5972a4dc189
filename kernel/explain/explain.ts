/** Explains, hop by hop, how a packet leaves this host for a peer's subnet, and where its way is broken. Pure. */
import { familyOf } from "../../net/ip.ts";
import { proofOf } from "./proof.ts";
import { differences } from "../differences.ts";
import { byRank } from "../relations.ts";
import { containersStep } from "./forwarding.ts";
import { judge } from "./judged.ts";
import { removalOf, repairOf } from "./remedy.ts";
import { matchText, routeStep } from "./route.ts";
import { returnSteps, sizeStep, sourceStep, underlayStep } from "./underlay.ts";
import {
  describe,
  type KernelObject,
  keyOf,
  type Link,
  type ObjectKind,
  type WireguardPeer,
} from "../state.ts";
import { lookupCommand, type Step, type WayFacts } from "./way.ts";

/** The order in which a packet meets them; what is not named here comes in between, in the order of making. */
const first: readonly ObjectKind[] = [
  "link",
  "sysctl",
  "address",
  "route",
  "wireguard-peer",
  "xfrm-policy",
  "xfrm-state",
  "encap-socket",
  "nexthop",
  "neighbour",
  "fdb",
];

/**
 * Every hop from the device to the reply. What only lacks another hop, and cannot be judged without it, is `skipped`; a
 * sysctl is told only where it is wrong.
 */
export function explainWay(compared: WayFacts): readonly Step[] {
  const { state, causes } = judge(compared);
  const facts = { ...compared, state };
  const objects = [...facts.wanted].sort(byRank).sort((a, b) => place(a) - place(b));
  const hops = objects.flatMap((object): Step[] => {
    const cause = causes.get(keyOf(object));
    if (object.kind === "sysctl" && stateOf(facts, keyOf(object)) === "ok") return [];
    if (cause !== undefined) return [consequence(object, cause)];
    return [object.kind === "route" ? routeStep(object, facts) : objectStep(object, facts)];
  });
  const source = facts.source === undefined
    ? containersStep(facts.cutOff, familyOf(facts.ip))
    : [sourceStep(facts.source, facts)];
  const way = [...source, ...hops, ...unplanned(facts), ...unasked(facts)];
  const underlay = underlayStep(facts);
  return [...way, underlay, sizeStep(facts), ...returnSteps(facts, [...way, underlay])];
}

/** The first hop at which packets are lost. */
export function firstBreak(steps: readonly Step[]): Step | undefined {
  return steps.find(({ state }) => state !== "ok" && state !== "skipped");
}

function stateOf({ state }: WayFacts, key: string) {
  return state.get(key) ?? "missing";
}

function place({ kind }: KernelObject): number {
  const at = first.indexOf(kind);
  return at < 0 ? first.length : at;
}

function objectStep(object: KernelObject, facts: WayFacts): Step {
  const key = keyOf(object);
  const state = stateOf(facts, key);
  const found = facts.actual.find((other) => keyOf(other) === key);
  const step = { what: object.kind, text: textOf(object, found), state, prove: proofOf(object, found) };
  if (state === "ok") return step;
  if (state !== "foreign") {
    const note = state === "wrong" && found !== undefined ? differences(object, found) : undefined;
    return { ...step, note, ours: true, repair: repairOf(facts) };
  }
  const conflict = facts.conflicts.find(({ wanted }) => keyOf(wanted) === key);
  if (conflict === undefined) return step;
  return {
    ...step,
    note: `${describe(conflict.found)} is not flan's`,
    repair: removalOf(conflict.found),
  };
}

function consequence(object: KernelObject, cause: string): Step {
  const step = { what: object.kind, text: textOf(object), prove: proofOf(object) };
  return { ...step, state: "skipped", note: `it goes with ${cause}` };
}

/** Where flan makes no route, as with alloc and extension: what of others' the packet takes. Whether it is right they know. */
function unplanned({ wanted, lookup, source, ip }: WayFacts): Step[] {
  if (wanted.some(({ kind }) => kind === "route")) return [];
  const known = source?.lookup.match === undefined ? lookup : source.lookup;
  const step = { what: "route", prove: lookupCommand(ip, known === lookup ? {} : source!.query) };
  if (known.match === undefined) {
    const note = `flan makes no route here, and nobody else did: ${known.refused.reason}`;
    return [{ ...step, text: ip, state: "missing", note }];
  }
  const note = "flan makes no route here; this one is somebody else's";
  return [{ ...step, text: matchText(known.match), state: "skipped", note }];
}

/** Where the kernel asks for each address when a packet needs it, nothing may have asked for this one yet. */
function unasked({ ip, wanted, isAnswered, start }: WayFacts): Step[] {
  const route = wanted.find((object) => object.kind === "route");
  const link = wanted.find((object): object is Link => object.kind === "link");
  if (route?.kind !== "route" || route.gateway !== "" || link === undefined || link.mac === "") return [];
  if (wanted.some((object) => object.kind === "neighbour")) return [];
  const step = {
    what: "neighbour",
    text: `${ip} dev ${link.name}`,
    prove: `ip neighbour show ${ip} dev ${link.name}`,
  };
  if (isAnswered) {
    return [{ ...step, state: "skipped", note: "the first packet makes the kernel ask flan up for it" }];
  }
  const note = "no agent runs that would answer when the kernel asks for it";
  return [{ ...step, state: "missing", note, repair: [start] }];
}

/** Without the word that `what` says already. */
function textOf(object: KernelObject, found?: KernelObject): string {
  if (object.kind === "link") {
    const { name, type, mtu, up } = found?.kind === "link" ? found : object;
    return `${name} ${type} mtu ${mtu} ${up ? "up" : "down"}`;
  }
  if (object.kind === "wireguard-peer") return peerText(object, found);
  return describe(object).replace(
    /^(address|route|wireguard peer|IPsec state|IPsec policy|nexthop|neighbour|FDB entry|sysctl|proxy route|proxy of|hook for) /,
    "",
  );
}

/** Of one that is there also when it was heard from last. */
function peerText(object: WireguardPeer, found?: KernelObject): string {
  const peer = found?.kind === "wireguard-peer" ? found : object;
  const { publicKey, endpoint, allowedIps, link, handshakeAge } = peer;
  const heard = handshakeAge === undefined ? "no handshake yet" : `latest handshake ${handshakeAge} s ago`;
  const allowed = allowedIps.join(" ") || "nothing";
  return `${publicKey} at ${endpoint || "no endpoint"} dev ${link}, allowed ${allowed}${
    found === undefined ? "" : `, ${heard}`
  }`;
}
