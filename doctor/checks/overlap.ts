/** Whether the network overlaps what this host routes itself. */
import { namedOverlaps, overlapsOf } from "../../agent/overlap.ts";
import { keyOf } from "../../kernel/state.ts";
import { formatCidr } from "../../net/ip.ts";
import { type Check, looked } from "../check.ts";
import { halvesOf } from "../facts.ts";
import { diagnosis } from "../diagnosis.ts";

export const overlap: Check = {
  name: "overlap",
  judge({ network, kernel }) {
    return looked([network, kernel], (net, { objects }) => {
      // A route in the way of a peer's packets is one to be taken away, and no reason for another network.
      const others = new Set(net.intruders.map(({ found }) => keyOf(found)));
      return halvesOf(net).flatMap(({ network: cidr, own }) => {
        const found = overlapsOf(cidr, { objects, own }).filter(({ object }) => !others.has(keyOf(object)));
        const text = formatCidr(cidr);
        return found.length === 0 ? [] : [diagnosis("network-overlap", {
          subject: text,
          message: `Network ${text} overlaps this host's ${namedOverlaps(found)}`,
        })];
      });
    });
  },
};
