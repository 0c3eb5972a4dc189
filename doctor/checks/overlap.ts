/** Whether the network overlaps what this host routes itself. */
import { type Covering, namedOverlaps, overlapsOf } from "../../agent/overlap.ts";
import { keyOf } from "../../kernel/state.ts";
import { formatCidr, parseCidr } from "../../net/ip.ts";
import { type Check, looked } from "../check.ts";
import { diagnosis } from "../diagnosis.ts";

export const overlap: Check = {
  name: "overlap",
  judge({ network, kernel }) {
    return looked([network, kernel], ({ config, own, winning }, { objects }) => {
      const around = overlapsOf(config.network, { objects, own });
      const known = new Set(around.map(({ object }) => keyOf(object)));
      // What only refuses packets keeps no host from joining, and takes the peers' packets all the same.
      const more = winning.filter((route) => !known.has(keyOf(route)))
        .map((object): Covering => ({ object, cidr: parseCidr(object.destination) }));
      const found = [...around, ...more];
      const text = formatCidr(config.network);
      return found.length === 0 ? [] : [diagnosis("network-overlap", {
        subject: text,
        message: `Network ${text} overlaps this host's ${namedOverlaps(found)}`,
      })];
    });
  },
};
