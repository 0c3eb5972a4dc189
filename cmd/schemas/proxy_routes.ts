import {
  about,
  address,
  count,
  type Fields,
  listing,
  nullable,
  object,
  port,
  subnet,
  text,
  yesOrNo,
} from "./shapes.ts";
import { carrying } from "./proxy_state.ts";

const fields: Fields = {
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
};

export const proxyRoutes = listing("proxy-routes", {
  description: "Where the proxies of backend udp send what: flan proxy routes.",
  fields,
  optional: { ipv6: about("the proxy of IPv6, where there is one beside that of IPv4", object(fields)) },
  line: object({ destination: subnet, remote: address, port }),
});
