/** Whether the network overlaps what this host routes itself. */
import { type Covering, namedOverlaps, overlapsOf } from "../../agent/overlap.ts";
import { keyOf } from "../../kernel/state.ts";
import { formatCidr, parseCidr } from "../../net/ip.ts";
import { type Check, looked } from "../check.ts";
import { halvesOf } from "../facts.ts";
import { diagnosis } from "../diagnosis.ts";

export const overlap: Check = {
  name: "overlap",
  judge({ network, kernel }) {
    return looked([network, kernel], (net, { objects }) =>
      halvesOf(net).flatMap(({ network: cidr, own }) => {
        const around = overlapsOf(cidr, { objects, own });
        const known = new Set(around.map(({ object }) => keyOf(object)));
        // What only refuses packets keeps no host from joining, and takes the peers' packets all the same.
        const more = net.winning.map((object): Covering => ({ object, cidr: parseCidr(object.destination) }))
          .filter(({ object, cidr: { family } }) => family === cidr.family && !known.has(keyOf(object)));
        const found = [...around, ...more];
        const text = formatCidr(cidr);
        return found.length === 0 ? [] : [diagnosis("network-overlap", {
          subject: text,
          message: `Network ${text} overlaps this host's ${namedOverlaps(found)}`,
        })];
      }));
  },
};
