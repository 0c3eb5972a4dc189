/** The way of a packet that stays on this host, or that flan does not carry. Pure. */
import { matchText } from "./route.ts";
import { containersStep } from "./forwarding.ts";
import { forwards } from "../forwarding.ts";
import { bits, contains, familyOf, parseCidr, parsePrefix } from "../../net/ip.ts";
import type { Address, KernelObject, Link, Neighbour } from "../state.ts";
import { type Lookup, lookupCommand, resolution, type Step } from "./way.ts";

export interface LocalFacts {
  readonly ip: string;
  /** This host's own. */
  readonly subnet: string;
  /** The tunnel's link, "" where there is none: a packet to an own container must not take it. */
  readonly device: string;
  readonly lookup: Lookup;
  /** With the sysctl that says whether this host forwards. */
  readonly actual: readonly KernelObject[];
}

/** For an address of this host's own subnet: which link has it, and whether the container there answers. */
export function explainLocal({ ip, subnet, device, lookup, actual }: LocalFacts): readonly Step[] {
  const prove = lookupCommand(ip);
  const bridge = linkOfSubnet(actual, subnet, device);
  const route = lookup.match?.route;
  if (route?.type === "local") return [{ what: "route", text: matchText(lookup.match!), state: "ok", prove }];
  if (bridge === undefined) {
    const note = "a container runtime makes one by subnet.env";
    const text = `no link has an address of ${subnet} with its length`;
    return [{ what: "link", text, state: "missing", note, prove: `ip route show ${subnet}` }];
  }
  const link: Step = {
    what: "link",
    text: `${bridge.name} ${bridge.type} mtu ${bridge.mtu} ${bridge.up ? "up" : "down"}`,
    state: bridge.up ? "ok" : "wrong",
    prove: `ip link show dev ${bridge.name}`,
    ...(bridge.up ? {} : { note: `${bridge.name} is down`, repair: [`ip link set dev ${bridge.name} up`] }),
  };
  if (route === undefined) {
    return [link, { what: "route", text: ip, state: "missing", note: lookup.refused!.reason, prove }];
  }
  const text = matchText(lookup.match!);
  if (route.link !== bridge.name) {
    const note = `it does not lead to ${bridge.name}, which has ${subnet}`;
    return [link, { what: "route", text, state: "foreign", note, prove }];
  }
  const family = familyOf(ip);
  return [
    ...containersStep(forwards(actual, family) ? undefined : bridge.name, family),
    link,
    { what: "route", text, state: "ok", prove },
    ...answering(ip, { actual, link: bridge.name }),
  ];
}

function answering(ip: string, { actual, link }: { actual: LocalFacts["actual"]; link: string }): Step[] {
  const entry = actual.find((one): one is Neighbour =>
    one.kind === "neighbour" && one.ip === ip && one.link === link
  );
  const step = { what: "neighbour", text: `${ip} dev ${link}`, prove: `ip neighbour show ${ip} dev ${link}` };
  if (entry === undefined) return [{ ...step, state: "skipped", note: "no packet has asked for it yet" }];
  const silent = entry.state === "failed" || entry.state === "incomplete";
  const text = `${ip} lladdr ${entry.mac || "none"} dev ${link} ${entry.state}`;
  return [{
    ...step,
    text,
    state: silent ? "missing" : "ok",
    ...(silent && { note: `nobody answers ${resolution(ip)} there` }),
  }];
}

/** The link, other than the tunnel's, on which the containers of this host's subnet are. */
export function linkOfSubnet(
  actual: readonly KernelObject[],
  subnet: string,
  device: string,
): Link | undefined {
  const own = parseCidr(subnet);
  const carrying = actual.find((one): one is Address => {
    if (one.kind !== "address" || one.link === device) return false;
    const { ip, cidr } = parsePrefix(one.address);
    return cidr.length < bits(cidr.family) && contains(own, ip);
  });
  return actual.find((one): one is Link => one.kind === "link" && one.name === carrying?.link);
}

/** For an address that no lease of the network carries: where its packets go instead. */
export function explainElsewhere(ip: string, lookup: Lookup): readonly Step[] {
  const text = lookup.match === undefined ? lookup.refused.reason : matchText(lookup.match);
  const note = "flan carries no packet there";
  return [{ what: "route", text, state: "skipped", note, prove: lookupCommand(ip) }];
}
