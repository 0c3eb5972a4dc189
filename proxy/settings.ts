/** What two settings of a proxy have to do with one another. Pure. */
import { familyOf } from "../net/ip.ts";
import type { Settings } from "./protocol.ts";

/** Whether two say the same. */
export function same(a: Settings, b: Settings): boolean {
  return sameDescriptors(a, b) && a.subnet === b.subnet && a.source === b.source &&
    a.checkSource === b.checkSource;
}

/** Whether the routes of one are those of the other: both of one link, and of one family. */
export function sameRoutes(a: Settings, b: Settings): boolean {
  return a.link === b.link && familyOf(a.subnet) === familyOf(b.subnet);
}

/** Whether the descriptors of one will do for the other. */
export function sameDescriptors(a: Settings, b: Settings): boolean {
  return a.link === b.link && a.address === b.address && a.port === b.port && a.queues === b.queues;
}

/** Whether both cannot be open at once: a port is one proxy's, and so is a TUN device that has one queue only. */
export function collide(a: Settings, b: Settings): boolean {
  const sharesQueues = a.link === b.link && !(a.queues > 1 && b.queues > 1);
  return sharesQueues || (a.address === b.address && a.port === b.port);
}
