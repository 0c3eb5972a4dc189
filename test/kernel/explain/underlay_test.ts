/** Where the way beyond the overlay is broken, and what is said of it: the underlay, the size, and what comes back. */
import type { Neighbour } from "../../../kernel/state.ts";
import type { WayFacts } from "../../../kernel/explain/way.ts";
import { type Break, type Damage, found, near, refused, testBreaks } from "../../lib/ways.ts";

const underlay = (change: Partial<WayFacts["underlay"]>): Damage => ({
  facts: {
    underlay: {
      remote: "192.0.2.2",
      link: "eth0",
      query: { outgoing: "eth0" },
      lookup: found(near),
      mtu: 0,
      neighbour: undefined,
      ...change,
    },
  },
});
const failed: Neighbour = {
  kind: "neighbour",
  link: "eth0",
  ip: "192.0.2.2",
  mac: "",
  state: "failed",
  protocol: 0,
};

const comes = {
  source: "192.0.2.2",
  destination: "192.0.2.1",
  link: "eth0",
  rpFilter: 0,
  lookup: found(near),
};

const cases: readonly Break[] = [
  [
    "the link that answers come in by is down",
    "vxlan",
    { facts: { returns: [{ ...comes, isDown: true }] } },
    "return",
    "wrong",
    /^eth0 is down$/,
    /^ip link set dev eth0 up$/,
  ],
  [
    "the underlay's link is gone",
    "vxlan",
    underlay({ link: "eth9" }),
    "underlay",
    "missing",
    /^link eth9 is gone$/,
    /^$/,
  ],
  [
    "no route leads to the peer",
    "vxlan",
    underlay({ lookup: refused("EHOSTUNREACH", "No route to host") }),
    "underlay",
    "missing",
    /^no route leads there/,
    /^$/,
  ],
  [
    "the peer's address is this host's own",
    "vxlan",
    underlay({ lookup: found({ ...near, type: "local" }) }),
    "underlay",
    "wrong",
    /address of this host/,
    /^$/,
  ],
  [
    "the peer does not answer",
    "vxlan",
    underlay({ neighbour: failed }),
    "underlay",
    "missing",
    /^192\.0\.2\.2 does not answer ARP on eth0$/,
    /^$/,
  ],
  [
    "the way to the peer is narrower",
    "vxlan",
    underlay({ mtu: 1400 }),
    "size",
    "wrong",
    /^packets of more than 1350 bytes/,
    /^flan up --mtu 1350$/,
  ],
  [
    "the filter drops what comes back",
    "vxlan",
    {
      facts: {
        returns: [{
          source: "192.0.2.2",
          destination: "192.0.2.1",
          link: "eth0",
          lookup: refused("EINVAL", "Invalid argument"),
          rpFilter: 1,
        }],
      },
    },
    "return",
    "wrong",
    /^rp_filter=1 of eth0 drops it/,
    /^sysctl -w net\/ipv4\/conf\/eth0\/rp_filter=2$/,
  ],
];

testBreaks(cases);
