import {
  about,
  address,
  count,
  list,
  listing,
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

const family = about("of both subnets and of the packets", oneOf("ipv4", "ipv6"));
const milliseconds = { type: "number", minimum: 0 };

export const ping = listing("ping", {
  description:
    "How packets get through between hosts, for each ordered pair, in dual stack by each family: flan ping.",
  fields: {
    node,
    ok: about("whether no pair is lost, none has a hole, and every flan host measured", yesOrNo),
    hosts: list(object({
      subnet,
      publicIp: address,
      node: nullable(node),
      row: about(
        "whether this host measured, and if not, why",
        oneOf("self", "measured", "silent", "busy", "refused", "no-flan"),
      ),
      family: about("by which it was measured: in dual stack a host is there twice", oneOf("ipv4", "ipv6")),
    })),
    generatedAt: time,
  },
  line: object({
    from: subnet,
    to: subnet,
    family,
    state: oneOf("ok", "lossy", "one-way", "lost", "hole", "unknown"),
    sent: nullable(count),
    received: about("replies that came back", nullable(count)),
    arrived: about("probes that the other end has seen, where it can be asked", nullable(count)),
    rttMs: nullable(object({ min: milliseconds, avg: milliseconds, max: milliseconds })),
    mtu: about("the largest packet known to get through", nullable(mtu)),
    tooLarge: about("the smallest that vanishes", nullable(mtu)),
    how: nullable(oneOf("udp", "icmp")),
    code: nullable(word("peer-unreachable", "path-mtu-hole")),
    message: nullable(text),
  }),
});
