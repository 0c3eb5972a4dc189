/** Changes of links, one request at a time: later changes need the index that a new link got. */
import { FlanError, KernelError } from "../net/errors.ts";
import type { Change } from "../kernel/kernel.ts";
import type { Link } from "../kernel/state.ts";
import { errnoName } from "./errno.ts";
import type { Answer } from "./netlink_error.ts";
import type { NetlinkRequests } from "./netlink_requests.ts";
import {
  decodeLink,
  encodeLinkChange,
  encodeLinkCreate,
  encodeLinkDelete,
  encodeLinkGet,
  type LinkChange,
  type LinkFields,
} from "./rtnetlink/link.ts";

/** The link with that name, or undefined where there is none. Throws KernelError for other failures. */
export function findLink(requests: NetlinkRequests, name: string): LinkFields | undefined {
  encodeLinkGet(requests.builder, name);
  let found: LinkFields | undefined;
  try {
    requests.ask(`look up link ${name}`, "kernel.apply", (parser, message) => {
      found = decodeLink(parser, message);
    });
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return undefined;
    throw error;
  }
  return found;
}

/** Carries out one change of a link, and returns the kernel's answer. */
export function applyLink(requests: NetlinkRequests, verb: Change["verb"], link: Link): Answer {
  if (verb === "add") return create(requests, link);
  const current = findLink(requests, link.name);
  if (verb === "replace") {
    return current === undefined ? create(requests, link) : change(requests, current, link);
  }
  if (current === undefined) return done;
  encodeLinkDelete(requests.builder, current.index);
  return sendOne(requests);
}

/**
 * Makes a link, then sets what the kernel does not take at creation. A link without its alias could not be
 * told for flan's own, so one that cannot be finished is taken away again.
 */
function create(requests: NetlinkRequests, link: Link): Answer {
  const indexOf = (name: string) => {
    const parent = findLink(requests, name);
    if (parent === undefined) throw missingLink(name);
    return parent.index;
  };
  encodeLinkCreate(link, { message: requests.builder, indexOf });
  const created = sendOne(requests);
  if (created.errno !== 0) return created;
  const made = findLink(requests, link.name);
  if (made === undefined) return done;
  const finished = finish(requests, made.index, link);
  if (finished.errno === 0) return done;
  encodeLinkDelete(requests.builder, made.index);
  sendOne(requests);
  return finished;
}

function finish(requests: NetlinkRequests, index: number, { alias, up }: Link): Answer {
  const named = configure(requests, index, { alias, noIpv6Addresses: true });
  // The kernel may have no IPv6; then there are no IPv6 addresses to suppress either.
  const prepared = errnoName(named.errno) === "EAFNOSUPPORT" ? configure(requests, index, { alias }) : named;
  if (prepared.errno !== 0 || !up) return prepared;
  // A request of its own: in one, Linux sets the link up first, and the address is made.
  return configure(requests, index, { up });
}

/** Sets what differs, and nothing else: even an unchanged MAC, set again, flushes the neighbours. */
function change(requests: NetlinkRequests, current: LinkFields, link: Link): Answer {
  const difference: LinkChange = {
    ...(current.mtu !== link.mtu && { mtu: link.mtu }),
    ...(current.mac !== link.mac && { mac: link.mac }),
    ...(current.alias !== link.alias && { alias: link.alias }),
    ...(current.up !== link.up && { up: link.up }),
  };
  return Object.keys(difference).length === 0 ? done : configure(requests, current.index, difference);
}

function configure(requests: NetlinkRequests, index: number, change: LinkChange): Answer {
  encodeLinkChange(requests.builder, index, change);
  return sendOne(requests);
}

function sendOne(requests: NetlinkRequests): Answer {
  const [answer] = requests.transact(requests.builder.finish(), [0]);
  if (answer === undefined) {
    throw new FlanError("A request got no answer", { op: "ffi.netlink", code: "failed" });
  }
  return answer;
}

/** For an object on a link that does not exist. */
export function missingLink(name: string): KernelError {
  return new KernelError(`Cannot find link ${name}: No such device (ENODEV)`, "ENODEV", {
    op: "kernel.apply",
  });
}

const done: Answer = { errno: 0, text: "" };
