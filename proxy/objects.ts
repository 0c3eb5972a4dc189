/** A proxy as objects of the plan, and the other way round. */
import { type KernelObject, type Proxy, proxyLinks, type ProxyRoute } from "../kernel/state.ts";
import type { Family } from "../net/ip.ts";
import type { Shown } from "./answers.ts";
import type { Settings, Way } from "./protocol.ts";

/** One that was not told yet what it is: it stands in nobody's way, and goes where none is wanted. */
const idle: Settings = {
  link: "",
  address: "",
  port: 0,
  subnet: "",
  source: "",
  checkSource: true,
  queues: 1,
};

/** One that does not say what it is: as it was seen last, or of a link that is wanted, "" where none is known. */
export function muteProxy(known: Settings | string = ""): Proxy {
  const settings = typeof known === "string" ? { ...idle, link: known } : known;
  return { kind: "proxy", ...settings, carrying: false };
}

/** The proxy of a family and its routes. */
export function objectsOf({ proxy, carrying, routes }: Shown, family: Family): KernelObject[] {
  const settings = proxy ?? (family === 6 ? { ...idle, link: proxyLinks[6] } : idle);
  const { link } = settings;
  return [
    { kind: "proxy", ...settings, carrying },
    ...routes.map(([destination, remote, port]): ProxyRoute => ({
      kind: "proxy-route",
      link,
      destination,
      remote,
      port,
    })),
  ];
}

/** Whether an object is of the proxy that carries this family: one of IPv4 may have any other link. */
export function isOfFamily({ link }: Proxy | ProxyRoute, family: Family): boolean {
  return (link === proxyLinks[6]) === (family === 6);
}

export function settingsOf({ kind: _, carrying: __, ...settings }: Proxy): Settings {
  return settings;
}

export function wayOf({ destination, remote, port }: ProxyRoute): Way {
  return [destination, remote, port];
}
