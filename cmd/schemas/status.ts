import { backendTypes } from "../../backends/types.ts";
import { dualNetwork, leaseFields, ownDual, ownFields } from "./lease_fields.ts";
import {
  about,
  address,
  count,
  document,
  type Fields,
  list,
  mtu,
  node,
  nullable,
  object,
  oneOf,
  subnet,
  text,
  time,
  word,
  yesOrNo,
} from "./shapes.ts";

/** All of them are there, or none. */
const joined: Fields = {
  node,
  network: subnet,
  encrypted: about("whether nobody on the underlay can read the network's packets", yesOrNo),
  backend: word(...backendTypes),
  underlay: object({
    link: text,
    address,
    up: about("whether the link is set up", yesOrNo),
    mtu,
    gateways: list(address),
    onLink: about("prefixes of its neighbours on the link", list(subnet)),
    offLink: about("prefixes within those that lie behind a gateway", list(subnet)),
    publicIp: address,
  }, { address6: about("of the same link, in dual stack", address), publicIp6: address }),
  lease: about("null where it was lost", nullable(object({ ...leaseFields, ...ownFields }, ownDual))),
  store: object({
    url: text,
    revision: count,
    reachable: yesOrNo,
    reachableSince: nullable(time),
    lastWord: nullable(time),
  }),
  peers: object({ planned: count, refused: count, expired: count }),
  drift: about("objects that are not as planned", count),
  repairs: object({ count, last: nullable(object({ at: time, what: text, cause: text })) }),
  problems: list(object({
    code: word("store-unreachable", "foreign-route"),
    severity: oneOf("warning", "high"),
    subject: text,
    message: text,
    since: time,
    because: about("the code, there too, that this one follows from", nullable(word("store-unreachable"))),
    remedy: text,
  })),
  generatedAt: time,
};

/** There while the network goes over from one backend to another. */
const move = object({
  from: about("backends that somebody may still send by", list(text)),
  to: text,
  moved: about("hosts that have gone over to the new one, this one included", count),
  waiting: about(
    "the subnets of those that do not announce it, or are not known yet to know this host there",
    list(subnet),
  ),
});

export const status = {
  ...document("status", {
    description: "What this host's agent says of itself: flan status. Without an agent only agent is there.",
    fields: { agent: object({ running: yesOrNo }, { pid: count, version: text, joining: yesOrNo }) },
    optional: { ...joined, ...dualNetwork, move },
  }),
  dependentRequired: { node: Object.keys(joined) },
};
