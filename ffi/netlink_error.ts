/** What the kernel says about a request: `struct nlmsgerr` and the errors made of it. */
import { FlanError, KernelError } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import type { Change } from "../kernel/kernel.ts";
import { describe } from "../kernel/state.ts";
import { errnoName, errnoText } from "./errno.ts";
import { type MessageBounds, type MessageParser, Policy } from "./message_parser.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_HDRLEN } from "./rtnetlink/constants.ts";

const NLMSGERR_ATTR_MSG = 1;
const policy = new Policy({ [NLMSGERR_ATTR_MSG]: "string" });

/** The kernel's answer to one request. */
export interface Answer {
  /** A positive errno, or 0 for an acknowledgement. */
  readonly errno: number;
  /** The extended acknowledgement's sentence, "" where the kernel gave none. */
  readonly text: string;
  /** What of a change was refused, where that is not the whole of it: a clause for its error. */
  readonly part?: string;
}

/** Reads an NLMSG_ERROR message; undefined where it is too short to be one. */
export function decodeAnswer(parser: MessageParser, message: MessageBounds): Answer | undefined {
  // struct nlmsgerr { int error; struct nlmsghdr msg; } then, unless capped, the request, then attributes.
  const fixed = 4 + NLMSG_HDRLEN;
  const length = message.length - NLMSG_HDRLEN;
  if (length < fixed) return undefined;
  const errno = -(parser.headU32(message, 0) | 0);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  const request = parser.headU32(message, 4);
  const skip = (message.flags & NLM_F_CAPPED) !== 0 ? fixed : 4 + ((request + 3) & ~3);
  if (skip > length) return { errno, text: "" };
  return { errno, text: extendedText(parser, message, skip) };
}

/** The sentence in the attributes that begin `skip` bytes into the payload. */
export function extendedText(parser: MessageParser, message: MessageBounds, skip: number): string {
  if (!parser.parse(message, skip, policy)) return "";
  return printable(parser.string(NLMSGERR_ATTR_MSG) ?? "").trim().replace(/\.$/, "");
}

/** `Network is down: Nexthop device is not up (ENETDOWN)`. */
export function reasonOf({ errno, text }: Answer): string {
  const said = text === "" ? errnoText(errno) : `${errnoText(errno)}: ${text}`;
  return `${said} (${errnoName(errno)})`;
}

/** The error of a change that the kernel refused. */
export function changeError(change: Change, answer: Answer): KernelError {
  const errno = errnoName(answer.errno);
  const what = `Cannot ${change.verb} ${describe(change.object)}`;
  const op = "kernel.apply";
  if (errno === "EPERM") {
    return new KernelError(`${what}: CAP_NET_ADMIN is needed (EPERM)`, errno, { op, hint: "run as root" });
  }
  if (answer.part !== undefined) {
    return new KernelError(`${what}: ${answer.part}: ${reasonOf(answer)}`, errno, { op });
  }
  if (errno === "EOPNOTSUPP" && change.object.kind === "link" && change.verb !== "delete") {
    const { type } = change.object;
    return new KernelError(
      `${what}: the kernel has no module for ${type} links, ${reasonOf(answer)}`,
      errno,
      { op, code: "unsupported", hint: `modprobe ${type}` },
    );
  }
  if (isTunMissing(change, errno)) {
    return new KernelError(`${what}: the kernel has no TUN devices, ${reasonOf(answer)}`, errno, {
      op,
      code: "unsupported",
      hint: "modprobe tun",
    });
  }
  if (errno === "EOPNOTSUPP" && change.object.kind === "nexthop") {
    return new KernelError(`${what}: nexthop objects need Linux 5.3, ${reasonOf(answer)}`, errno, {
      op,
      code: "unsupported",
      hint: "uname -r",
    });
  }
  return new KernelError(`${what}: ${reasonOf(answer)}`, errno, { op, hint: hintFor(change, errno) });
}

/** Whether /dev/net/tun is missing (ENOENT), or the module behind it (ENODEV, ENXIO). */
function isTunMissing({ verb, object }: Change, errno: string): boolean {
  return verb !== "delete" && object.kind === "link" && object.tun !== undefined &&
    ["ENOENT", "ENODEV", "ENXIO"].includes(errno);
}

/** Of all that can stand in the way, the one that the kernel's text does not name. */
function hintFor({ verb, object }: Change, errno: string): string | undefined {
  if (errno !== "EEXIST" || verb !== "add" || object.kind !== "link") return undefined;
  if (object.ipip !== undefined) {
    return `ip -d link show type ipip shows which device has local ${object.ipip.local} and any remote; remove it`;
  }
  if (object.vxlan === undefined) return undefined;
  return `ip -d link show type vxlan shows which device has VNI ${object.vxlan.vni}; remove it, or use another VNI`;
}

/** The error of a question that the kernel refused; `what` as in `read routes`. */
export function queryError(what: string, answer: Answer, op: string): KernelError {
  const hint = errnoName(answer.errno) === "EPERM" ? "run as root" : undefined;
  return new KernelError(`Cannot ${what}: ${reasonOf(answer)}`, errnoName(answer.errno), { op, hint });
}

/** An answer that breaks the protocol. */
export function protocolError(what: string, why: string): FlanError {
  return new FlanError(`Cannot ${what}: ${why}`, { op: "ffi.netlink", code: "failed" });
}
