import {
  about,
  address,
  document,
  list,
  nullable,
  object,
  oneOf,
  subnet,
  text,
  word,
  yesOrNo,
} from "./shapes.ts";

const hops = [
  ...["lease", "source", "link", "sysctl", "address", "route", "nexthop", "neighbour", "fdb", "proxy"],
  ...["proxy-route", "underlay", "size", "return"],
];

export const routesExplain = document("routes-explain", {
  description: "The way of a packet, hop by hop: flan routes explain.",
  fields: {
    ip: address,
    from: nullable(address),
    subnet: about("the lease that holds the address, where its packets can go there", nullable(subnet)),
    ok: about("whether no hop is broken", yesOrNo),
    broken: about("the first hop that is", nullable(text)),
    steps: list(object({
      what: word(...hops),
      state: oneOf("ok", "missing", "wrong", "foreign", "skipped"),
      text,
      note: about("what is wrong, or what else there is to know", nullable(text)),
      prove: about("the command that shows it", nullable(text)),
    })),
    repair: nullable(object({
      commands: about("what mends the first break by hand", list(text)),
      flan: about("what lets flan mend it", nullable(text)),
    })),
  },
});
