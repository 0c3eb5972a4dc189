/** Whether there is a way out of this host for the overlay's packets. */
import { type KernelObject, ROUTE_PROTOCOL } from "../../kernel/state.ts";
import { type Cidr, type Family, isHostAddress, isLinkLocal, parseCidr } from "../../net/ip.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { NetworkFacts } from "../facts.ts";

const code = "underlay-missing";

export const underlay: Check = {
  name: "underlay",
  judge({ network, kernel, agent }) {
    // An agent that runs knows which link it lost; what is told twice stands in the report once.
    const told = "seen" in agent ? agent.seen.problems.filter((one) => one.code === code) : [];
    return looked([network, kernel], (net, { objects }) => told.length > 0 ? told : judge(net, objects));
  },
};

function judge(
  { config, underlay, noUnderlay }: NetworkFacts,
  objects: readonly KernelObject[],
): Diagnosis[] {
  if (noUnderlay !== undefined) {
    return [diagnosis(code, { subject: "underlay", message: noUnderlay })];
  }
  if (underlay === undefined) return [];
  const { link: name } = underlay;
  if (objects.some((one) => one.kind === "link" && one.name === name && !one.up)) {
    const remedy = `ip link set dev ${name} up`;
    return [diagnosis(code, { subject: name, message: `Link ${name} of the underlay is down`, remedy })];
  }
  if (objects.some((one) => one.kind === "link" && one.name === name && one.noCarrier)) {
    const message = `Link ${name} of the underlay has no carrier`;
    return [diagnosis(code, { subject: name, message, remedy: `put the cable of ${name} back` })];
  }
  // Those of flan itself lead nowhere without others.
  const isRouted = objects.some((one) =>
    one.kind === "route" && one.link === name && one.protocol !== ROUTE_PROTOCOL &&
    isOf(config.network.family, parseCidr(one.destination))
  );
  if (isRouted) return [];
  return [diagnosis(code, { subject: name, message: `No route leads over link ${name} of the underlay` })];
}

/** IPv6 has routes to link-local and multicast addresses on every link. */
function isOf(family: Family, { family: found, address: value, length }: Cidr): boolean {
  if (found !== family) return false;
  const ip = { family, value };
  return family === 4 || length === 0 || isHostAddress(ip) && !isLinkLocal(ip);
}
