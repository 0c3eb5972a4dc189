/** What carries the packet outside of the overlay, how large it may be, and whether the answer comes in. Pure. */
import { familyOf } from "../../net/ip.ts";
import { overheadOf } from "../encapsulation.ts";
import { forwardingSwitch } from "../forwarding.ts";
import { linkOf } from "../relations.ts";
import { contains, parseCidr, parseIp } from "../../net/ip.ts";
import type { KernelObject, Link, Proxy } from "../state.ts";
import {
  answerCommand,
  isFiltered,
  lookupCommand,
  resolution,
  type ReturnFacts,
  type SourceFacts,
  type Step,
  type WayFacts,
} from "./way.ts";

/**
 * Whether a packet from there gets as far as the look-up of its route, and is not refused for it at its end. `wanted` is what
 * of the plan its way needs.
 */
export function sourceStep(
  source: SourceFacts,
  { ip, wanted }: { ip: string; wanted: readonly KernelObject[] },
): Step {
  const { address, kind, link, lookup, rpFilter, query } = source;
  const step = { what: "source", prove: lookupCommand(ip, query) };
  if (kind === "stranger") {
    const note = "it is neither an address of this host nor in its subnet: answers go elsewhere";
    return { ...step, text: address, state: "wrong", note, prove: "ip address show" };
  }
  if (kind === "local") {
    const local = { ...step, text: `${address}, an address of this host` };
    const proxy = wanted.find((one): one is Proxy => one.kind === "proxy" && one.checkSource);
    if (proxy === undefined || contains(parseCidr(proxy.subnet), parseIp(address))) {
      return { ...local, state: "ok" };
    }
    const note = `the peer's proxy drops it and counts it as in_drop_source: from this host it takes ` +
      `what comes from ${proxy.subnet}, such as ${proxy.source}`;
    return { ...local, state: "wrong", note };
  }
  if (link === undefined) {
    const note = "no link has this host's subnet yet: a container runtime makes one by subnet.env";
    return { ...step, text: address, state: "missing", note, prove: lookupCommand(address) };
  }
  const text = `${address} comes in by ${link}`;
  if (source.isDown) return { ...step, text, ...downNote(link) };
  const name = forwardingSwitch(familyOf(ip));
  if (source.isCutOff) {
    const wrong = { state: "wrong", note: `this host forwards no packet: ${name} is 0` } as const;
    // Of IPv6 the look-up does not ask for it.
    const prove = lookup.match === undefined ? step.prove : `sysctl ${name}`;
    return { ...step, text, ...wrong, prove, repair: [`sysctl -w ${name}=1`] };
  }
  if (lookup.match !== undefined) return { ...step, text, state: "ok" };
  if (isFiltered(lookup.refused)) return { ...step, text, ...filtered(link, { rpFilter, source: address }) };
  if (lookup.refused.errno === "EHOSTUNREACH") {
    const note = `${link} does not forward, or a route refuses it`;
    return { ...step, text, state: "wrong", note, repair: [`sysctl -w ${name}=1`] };
  }
  return { ...step, text, state: "skipped", note: lookup.refused.reason };
}

/** The tunnel's packets, or the packet itself where there is no tunnel, on their way to the peer. */
export function underlayStep({ underlay, actual }: WayFacts): Step {
  const { remote, link, query, lookup, neighbour } = underlay;
  const device = linkNamed(actual, link);
  const step = {
    what: "underlay",
    text: `${remote} dev ${link}`,
    prove: lookupCommand(remote, query),
  };
  const show = `ip link show dev ${link}`;
  if (device === undefined) return { ...step, state: "missing", note: `link ${link} is gone`, prove: show };
  const [down] = downStep(actual, link);
  if (down !== undefined) return { ...down, text: step.text };
  if (lookup.match === undefined) {
    return { ...step, state: "missing", note: `no route leads there: ${lookup.refused.reason}` };
  }
  const { route } = lookup.match;
  const text = [remote, route.gateway && `via ${route.gateway}`, `dev ${route.link || link}`].filter(Boolean)
    .join(" ");
  if (route.type === "local") return { ...step, text, state: "wrong", note: "it is an address of this host" };
  if (neighbour?.state === "failed" || neighbour?.state === "incomplete") {
    const note = `${neighbour.ip} does not answer ${resolution(neighbour.ip)} on ${neighbour.link}`;
    const prove = `ip neighbour show ${neighbour.ip} dev ${neighbour.link}`;
    return { ...step, text, state: "missing", note, prove };
  }
  const note = route.link === "" || route.link === link
    ? undefined
    : `it leaves by ${route.link}, not by ${link}`;
  return { ...step, text, state: "ok", note };
}

/** For an underlay's link that is down, and else nothing. */
export function downStep(actual: WayFacts["actual"], link: string): readonly Step[] {
  if (linkNamed(actual, link)?.up !== false) return [];
  return [{ what: "underlay", text: `dev ${link}`, ...downNote(link) }];
}

function downNote(link: string): Pick<Step, "state" | "note" | "prove" | "repair"> {
  const prove = `ip link show dev ${link}`;
  return { state: "wrong", note: `${link} is down`, prove, repair: [`ip link set dev ${link} up`] };
}

/** Whether the largest packet of the overlay fits the underlay with what the tunnel adds. */
export function sizeStep({ wanted, actual, underlay, mtu, lookup }: WayFacts): Step {
  const planned = wanted.find((object) => object.kind === "route");
  const device = linkNamed(actual, planned === undefined ? lookup.match?.route.link ?? "" : linkOf(planned));
  const carrier = linkNamed(actual, underlay.link);
  if (device === undefined || carrier === undefined) {
    return { what: "size", text: "unknown", state: "skipped", note: "a link is missing" };
  }
  const inner = mtu > 0 ? Math.min(mtu, device.mtu) : device.mtu;
  const isInUdp = wanted.some(({ kind }) => kind === "encap-socket");
  const overhead = overheadOf(device, { outer: familyOf(underlay.remote), isInUdp });
  const limitedByRoute = underlay.mtu > 0 && underlay.mtu < carrier.mtu;
  const most = limitedByRoute ? underlay.mtu : carrier.mtu;
  const fits = inner + overhead <= most;
  const sum = overhead === 0 ? `${inner}` : `${inner} + ${overhead} = ${inner + overhead}`;
  const text = `${sum} ${fits ? "<=" : ">"} ${most}`;
  const prove = limitedByRoute
    ? answerCommand(underlay.remote, underlay.query)
    : `ip link show dev ${underlay.link}`;
  if (fits) return { what: "size", text, state: "ok", prove };
  const note = `packets of more than ${most - overhead} bytes are lost or divided`;
  const repair = limitedByRoute
    ? [`flan up --mtu ${most - overhead}`]
    : [`ip link set dev ${device.name} mtu ${most - overhead}`];
  return { what: "size", text, state: "wrong", note, prove, repair };
}

/** Whether what comes back passes the reverse-path filter; not judged where the way there is broken already. */
export function returnSteps({ returns }: WayFacts, way: readonly Step[]): readonly Step[] {
  const broken = way.some(({ state }) => state !== "ok" && state !== "skipped");
  return returns.map((facts) => {
    const { source, destination, link, lookup, isDown } = facts;
    const prove = lookupCommand(destination, { source, incoming: link });
    const step = { what: "return", text: `${source} comes in by ${link}`, prove };
    if (isDown) {
      return broken ? { ...step, state: "skipped", note: `${link} is down` } : { ...step, ...downNote(link) };
    }
    if (lookup.match !== undefined) return { ...step, state: "ok" };
    if (broken) return { ...step, state: "skipped", note: "the way there is broken" };
    if (isFiltered(lookup.refused)) return { ...step, ...filtered(link, facts) };
    return { ...step, state: "skipped", note: lookup.refused.reason };
  });
}

function filtered(
  link: string,
  { rpFilter, source }: Pick<ReturnFacts, "rpFilter" | "source">,
): Pick<Step, "state" | "note" | "repair"> {
  if (rpFilter === 0) return { state: "wrong", note: `the kernel takes no packet from ${source} there` };
  return {
    state: "wrong",
    note: `rp_filter=${rpFilter} of ${link} drops it: the route to ${source} does not leave by ${link}`,
    repair: [`sysctl -w net/ipv4/conf/${link}/rp_filter=2`],
  };
}

function linkNamed(actual: WayFacts["actual"], name: string): Link | undefined {
  return actual.find((object): object is Link => object.kind === "link" && object.name === name);
}
