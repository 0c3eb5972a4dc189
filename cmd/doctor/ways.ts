/** By which links packets go to the peers of a plan. */
import { isCarried } from "../../agent/probing/targets.ts";
import type { Plan } from "../../backends/backend.ts";
import type { NetworkFacts } from "../../doctor/facts.ts";
import { keyOf } from "../../kernel/state.ts";
import { familyOf } from "../../net/ip.ts";

/** Each link once for each family; those to whom others carry the packets have none. */
export function waysIn({ objects, peers }: Plan): NetworkFacts["ways"] {
  const ways = new Map<string, NetworkFacts["ways"][number]>();
  const used = new Set(peers.filter(isCarried).flatMap(({ keys }) => keys));
  for (const object of objects) {
    if (object.kind !== "route" || !used.has(keyOf(object))) continue;
    const way = { family: familyOf(object.destination), link: object.link };
    ways.set(`${way.family} ${way.link}`, way);
  }
  return [...ways.values()];
}
