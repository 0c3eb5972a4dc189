/** The look-up of the route: what flan planned against the entry that the kernel takes. Pure. */
import { MAIN_TABLE, type RouteMatch } from "../kernel.ts";
import { contains, parseCidr, parseIp } from "../../net/ip.ts";
import { removalOf, repairOf, routeRemoval } from "./remedy.ts";
import { describe, keyOf, type Route, ROUTE_PROTOCOL } from "../state.ts";
import { type Lookup, lookupCommand, type Step, type WayFacts } from "./way.ts";

/** A route that is as planned helps nobody where another one wins: a longer prefix, or a table that a rule names. */
export function routeStep(planned: Route, facts: WayFacts): Step {
  const { ip, state: states, conflicts } = facts;
  const lookup = facts.source?.lookup.match === undefined ? facts.lookup : facts.source.lookup;
  const query = lookup === facts.lookup ? {} : facts.source!.query;
  const state = states.get(keyOf(planned)) ?? "missing";
  const step = { what: "route", text: planText(planned), prove: lookupCommand(ip, query) };
  if (state === "missing" || state === "wrong") {
    return { ...step, state, note: instead(lookup, facts), ours: true, repair: repairOf(facts) };
  }
  if (state === "foreign") {
    const found = conflicts.find(({ wanted }) => keyOf(wanted) === keyOf(planned))?.found;
    if (found === undefined) return { ...step, state };
    return { ...step, state, note: `${describe(found)} is not flan's`, repair: removalOf(found) };
  }
  if (lookup.match === undefined) return { ...step, ...refusal(planned, facts, lookup.refused.reason) };
  const { match } = lookup;
  if (isPlanned(match, planned)) return { ...step, state };
  const whose = match.route.protocol === ROUTE_PROTOCOL ? "wrong" : "foreign";
  return { ...step, state: whose, note: `${matchText(match)} wins`, repair: routeRemoval(match) };
}

function isPlanned({ route, table }: RouteMatch, planned: Route): boolean {
  return table === MAIN_TABLE && route.destination === planned.destination &&
    route.metric === planned.metric && route.protocol === planned.protocol;
}

/** Where the packets go as long as flan's route is not there. */
function instead(lookup: Lookup, { actual, ip }: WayFacts): string {
  if (lookup.match !== undefined) return `packets take ${matchText(lookup.match)}`;
  const stop = barrier(actual, ip);
  return stop === undefined
    ? `packets go nowhere: ${lookup.refused.reason}`
    : `packets end at ${describe(stop)}`;
}

/** The kernel names no entry for a destination that it refuses. */
function refusal(
  planned: Route,
  { actual, ip }: WayFacts,
  reason: string,
): Pick<Step, "state" | "note" | "repair" | "prove"> {
  const stop = barrier(actual, ip);
  if (stop === undefined || keyOf(stop) === keyOf(planned)) {
    return { state: "foreign", note: `the kernel refuses it: ${reason}`, prove: "ip rule show" };
  }
  return { state: "foreign", note: `${describe(stop)} wins`, repair: removalOf(stop) };
}

/** The longest prefix of the main table that holds the address and leads nowhere. */
function barrier(actual: WayFacts["actual"], ip: string): Route | undefined {
  const target = parseIp(ip);
  const holding = actual.filter((object): object is Route =>
    object.kind === "route" && contains(parseCidr(object.destination), target)
  ).sort((a, b) => lengthOf(b) - lengthOf(a) || a.metric - b.metric);
  return holding[0]?.type === "unicast" ? undefined : holding[0];
}

function lengthOf({ destination }: Route): number {
  return parseCidr(destination).length;
}

/** `10.244.2.0/24 via 10.244.2.0 dev flan.1`. */
function planText(route: Route): string {
  return describe(route).replace(/^route /, "");
}

/** The entry as a person reads it, with its table where that is not the main one. */
export function matchText({ route, table }: RouteMatch): string {
  if (route.type === "local") {
    return `${route.destination.split("/")[0]}, an address of this host on ${route.link}`;
  }
  const named = describe(route).replace(/^route (0\.0\.0\.0|::)\/0\b/, "the default route");
  return table === MAIN_TABLE ? named : `${named} table ${table}`;
}
