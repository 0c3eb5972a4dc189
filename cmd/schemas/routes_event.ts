import { about, count, document, list, nullable, oneOf, text, time, yesOrNo } from "./shapes.ts";

export const routesEvent = document("routes-event", {
  description: "What changed of the routes and what they need; one on each line: flan routes watch -o jsonl.",
  fields: {
    time,
    event: oneOf("state", "set", "deleted", "wanted", "lost"),
    kind: about("route, nexthop, neighbour, fdb, address, link, proxy or firewall", nullable(text)),
    object: nullable(text),
    differs: about("what of a link is not as planned, or that a route is not flan's", nullable(text)),
    by: about("who did it, where the kernel tells", nullable(text)),
    pid: nullable(count),
    repaired: about("whether flan put back what somebody else had changed", yesOrNo),
    wrong: about("with state: what is not as planned", nullable(list(text))),
  },
});
