import { carrying } from "./proxy_state.ts";
import { about, count, document, list, mapOf, object, text, time } from "./shapes.ts";

const fields = {
  since: time,
  ...carrying,
  features: about("what of the kernel is in use", list(text)),
  counters: about("packets, bytes and system calls by name", mapOf(count)),
};

export const proxyStats = document("proxy-stats", {
  description: "What the proxy of backend udp has carried and dropped: flan proxy stats. With --watch a " +
    "line holds rates a second.",
  fields,
  line: { anyOf: [object(fields), object({ time, rates: mapOf({ type: "number" }) })] },
});
