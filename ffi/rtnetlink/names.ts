/** Names for rtnetlink's numbers. */
import type { NeighbourState } from "../../kernel/state.ts";

/** RTN_ numbers of linux/rtnetlink.h, by position. */
const routeTypes = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
  "xresolve",
];

export function routeTypeName(number: number): string {
  return routeTypes[number] ?? String(number);
}

/** The RTN_ number of a name, or undefined. */
export function routeTypeNumber(name: string): number | undefined {
  const number = routeTypes.indexOf(name);
  return number < 0 ? undefined : number;
}

/** NUD_ bits of linux/neighbour.h. */
export const neighbourStates: Readonly<Record<NeighbourState, number>> = {
  none: 0x00,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
};

const stateNames = new Map(
  Object.entries(neighbourStates).map(([name, bit]) => [bit, name as NeighbourState]),
);

/** The name of a NUD_ state; the kernel sets one bit at a time. */
export function neighbourStateName(bits: number): NeighbourState {
  return stateNames.get(bits) ?? "none";
}
