import { address, count, listing, nullable, object, port, subnet, text, yesOrNo } from "./shapes.ts";
import { carrying } from "./proxy_state.ts";

export const proxyRoutes = listing("proxy-routes", {
  description: "Where the proxy of backend udp sends what: flan proxy routes.",
  fields: {
    pid: count,
    version: text,
    ...carrying,
    proxy: nullable(object({
      link: text,
      address,
      port,
      subnet,
      source: address,
      checkSource: yesOrNo,
      queues: count,
    })),
  },
  line: object({ destination: subnet, remote: address, port }),
});
