/** Changes of links, one request at a time: later changes need the index that a new link got. */
import { FlanError, KernelError } from "../net/errors.ts";
import type { Change } from "../kernel/kernel.ts";
import type { Link, Tun } from "../kernel/state.ts";
import { errnoName } from "./errno.ts";
import { closeFd } from "./libc.ts";
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
import { createTun, persistTun } from "./tun.ts";
import { readTxChecksum, setTxChecksum } from "./tx_checksum.ts";

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
  if (link.tun !== undefined) return createTunLink(requests, link, link.tun);
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

/**
 * Makes a TUN device, which rtnetlink does not. Until all but its state is set it goes with its descriptor, so that a
 * crash leaves nothing without an alias behind.
 */
function createTunLink(requests: NetlinkRequests, link: Link, tun: Tun): Answer {
  const fd = createTun(link.name, tun);
  if (fd < 0) return { errno: -fd, text: "" };
  try {
    const made = findLink(requests, link.name);
    if (made === undefined) throw missingLink(link.name);
    const { alias, mtu } = link;
    const prepared = prepare(requests, made.index, { alias, mtu, queueLength: tun.queueLength });
    if (prepared.errno !== 0) return prepared;
    const persisted = persistTun(fd);
    if (persisted < 0) return { errno: -persisted, text: "" };
    if (!link.up) return done;
    const raised = configure(requests, made.index, { up: true });
    if (raised.errno === 0) return done;
    encodeLinkDelete(requests.builder, made.index);
    sendOne(requests);
    return raised;
  } finally {
    closeFd(fd);
  }
}

function finish(requests: NetlinkRequests, index: number, link: Link): Answer {
  const { alias, up } = link;
  const prepared = prepare(requests, index, { alias });
  if (prepared.errno !== 0) return prepared;
  const switched = switchTxChecksum(link);
  if (switched.errno !== 0 || !up) return switched;
  // A request of its own: in one, Linux sets the link up first, and the address is made.
  return configure(requests, index, { up });
}

/** Sets what a new link gets, and that it makes itself no IPv6 address. */
function prepare(requests: NetlinkRequests, index: number, change: LinkChange): Answer {
  const answer = configure(requests, index, { ...change, noIpv6Addresses: true });
  // The kernel may have no IPv6; then there are no IPv6 addresses to suppress either.
  return errnoName(answer.errno) === "EAFNOSUPPORT" ? configure(requests, index, change) : answer;
}

/** Sets what differs, and nothing else: even an unchanged MAC, set again, flushes the neighbours. */
function change(requests: NetlinkRequests, current: LinkFields, link: Link): Answer {
  const queueLength = link.tun?.queueLength;
  const difference: LinkChange = {
    ...(current.mtu !== link.mtu && { mtu: link.mtu }),
    ...(current.mac !== link.mac && { mac: link.mac }),
    ...(current.alias !== link.alias && { alias: link.alias }),
    ...(queueLength !== undefined && current.tun?.queueLength !== queueLength && { queueLength }),
    ...(current.up !== link.up && { up: link.up }),
  };
  const switched = switchTxChecksum(link);
  if (switched.errno !== 0) return switched;
  if (Object.keys(difference).length === 0) return done;
  if (current.alias !== "") return configure(requests, current.index, difference);
  // A program has just made it for us: it gets what a new one does, before it is set up.
  const { up, ...others } = difference;
  const prepared = prepare(requests, current.index, others);
  return prepared.errno !== 0 || up === undefined ? prepared : configure(requests, current.index, { up });
}

/** Leaves it alone where nothing is said about it. */
function switchTxChecksum({ name, txChecksum }: Link): Answer {
  if (txChecksum === undefined || readTxChecksum(name) === txChecksum) return done;
  const part = `its checksum offload cannot be switched ${txChecksum ? "on" : "off"}`;
  return { errno: -setTxChecksum(name, txChecksum), text: "", part };
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
