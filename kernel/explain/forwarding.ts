/** What becomes of containers' packets on a host that forwards none, while its own go their way. Pure. */
import { forwardingSwitch } from "../forwarding.ts";
import type { Family } from "../../net/ip.ts";
import type { Step } from "./way.ts";

/** `link` is that of the containers, undefined where the host has none or forwards their packets. */
export function containersStep(link: string | undefined, family: Family): readonly Step[] {
  if (link === undefined) return [];
  const name = forwardingSwitch(family);
  return [{
    what: "forwarding",
    text: `${name} = 0`,
    state: "skipped",
    note: `this host's own packets need none; those from and to its containers on ${link} are dropped: ` +
      `sysctl -w ${name}=1`,
    prove: `sysctl ${name}`,
  }];
}
