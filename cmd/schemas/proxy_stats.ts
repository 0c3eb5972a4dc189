import { carrying } from "./proxy_state.ts";
import {
  about,
  count,
  document,
  type Fields,
  list,
  mapOf,
  object,
  type Shape,
  text,
  time,
} from "./shapes.ts";

const fields = {
  since: time,
  ...carrying,
  features: about("what of the kernel is in use", list(text)),
  counters: about("packets, bytes and system calls by name", mapOf(count)),
};

const rates = { rates: mapOf({ type: "number" }) };

/** What there is more, where a proxy of IPv6 runs beside that of IPv4. */
const ipv6 = (shape: Shape): Fields => ({ ipv6: about("the same of the proxy of IPv6", shape) });

export const proxyStats = document("proxy-stats", {
  description: "What the proxies of backend udp have carried and dropped: flan proxy stats. With --watch a " +
    "line holds rates a second.",
  fields,
  optional: ipv6(object(fields)),
  line: {
    anyOf: [object(fields, ipv6(object(fields))), object({ time, ...rates }, ipv6(object(rates)))],
  },
});
