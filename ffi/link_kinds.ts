/** Which types of links the kernel has, found out without making one. */
import { FlanError } from "../net/errors.ts";
import { errnoName } from "./errno.ts";
import { reasonOf } from "./netlink_error.ts";
import type { NetlinkRequests } from "./netlink_requests.ts";
import { encodeImpossibleLink } from "./rtnetlink/link.ts";

/**
 * Throws `unsupported` where the kernel has no links of `kind`. Asking makes nothing. The kernel loads the module where it can, as making a link would.
 * What may not be asked (EPERM) is not known, and passes: whoever may not ask makes no link either.
 */
export function requireLinkKind(requests: NetlinkRequests, kind: string, module = kind): void {
  encodeImpossibleLink(requests.builder, kind);
  const [answer] = requests.transact(requests.builder.finish(), [0]);
  if (answer === undefined || errnoName(answer.errno) !== "EOPNOTSUPP") return;
  throw new FlanError(`Cannot use ${kind} links: the kernel has no module for them, ${reasonOf(answer)}`, {
    op: "kernel.require",
    code: "unsupported",
    hint: `modprobe ${module}`,
  });
}
