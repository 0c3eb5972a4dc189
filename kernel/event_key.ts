/** What an event and an object are called alike, so that it can be told whether one is about the other. */
import type { KernelEvent } from "./kernel.ts";
import type { KernelObject } from "./state.ts";
import { xfrmSubject } from "./xfrm.ts";

/** What the event is about; it may be about several objects, as routes with one destination are. */
export function keyOfEvent({ group, link, subject, mac }: KernelEvent): string {
  return mac === undefined ? `${group} ${subject ?? link}` : `fdb ${mac}`;
}

/** As events name the object; undefined for what none of them names. */
export function eventKeyOf(object: KernelObject): string | undefined {
  switch (object.kind) {
    case "link":
      return `link ${object.name}`;
    case "address":
      return `address ${object.address}`;
    case "nexthop":
      return `nexthop ${object.id}`;
    case "neighbour":
      return `neighbour ${object.ip}`;
    case "fdb":
      return `fdb ${object.mac}`;
    case "route":
      return `route ${object.destination}`;
    case "xfrm-state":
    case "xfrm-policy":
      return `ipsec ${xfrmSubject(object)}`;
    default:
      return undefined;
  }
}
