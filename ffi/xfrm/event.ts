/**
 * One announcement of XFRM's as a {@link KernelEvent}. What it is about stands in its head; the keys of a state come
 * behind that, and are not needed.
 */
import type { KernelEvent } from "../../kernel/kernel.ts";
import { xfrmSubject } from "../../kernel/xfrm.ts";
import { NLMSG_HDRLEN } from "../rtnetlink/constants.ts";
import {
  addressAt,
  directions,
  POLICY_ID_LENGTH,
  POLICY_LENGTH,
  SA_ID_LENGTH,
  SA_LENGTH,
  selectorAt,
  XFRM_MSG_DELPOLICY,
  XFRM_MSG_DELSA,
  XFRM_MSG_FLUSHPOLICY,
  XFRM_MSG_FLUSHSA,
  XFRM_MSG_NEWPOLICY,
  XFRM_MSG_NEWSA,
  XFRM_MSG_UPDPOLICY,
  XFRM_MSG_UPDSA,
} from "./constants.ts";

/** So much of a datagram is read: the longest head, with which no key begins. */
export const ANNOUNCEMENT_BYTES = NLMSG_HDRLEN + SA_LENGTH;

interface Announcement {
  readonly action: "new" | "delete";
  /** Length of the structure that it begins with. */
  readonly head: number;
  /** Throws RangeError for what is not IP's. */
  readonly subject: (head: Uint8Array) => string | undefined;
}

const madeState: Announcement = {
  action: "new",
  head: SA_LENGTH,
  subject: (head) => stateIn(head, { at: 56, family: 212 }),
};
const madePolicy: Announcement = {
  action: "new",
  head: POLICY_LENGTH,
  subject: (head) => policyIn(head, 160),
};

const announcements: Readonly<Record<number, Announcement>> = {
  [XFRM_MSG_NEWSA]: madeState,
  [XFRM_MSG_UPDSA]: madeState,
  [XFRM_MSG_DELSA]: {
    action: "delete",
    head: SA_ID_LENGTH,
    subject: (head) => stateIn(head, { at: 0, family: 20 }),
  },
  [XFRM_MSG_FLUSHSA]: { action: "delete", head: 0, subject: () => "states" },
  [XFRM_MSG_NEWPOLICY]: madePolicy,
  [XFRM_MSG_UPDPOLICY]: madePolicy,
  [XFRM_MSG_DELPOLICY]: {
    action: "delete",
    head: POLICY_ID_LENGTH,
    subject: (head) => policyIn(head, 60),
  },
  [XFRM_MSG_FLUSHPOLICY]: { action: "delete", head: 0, subject: () => "policies" },
};

/**
 * The event of a datagram, of which the first {@link ANNOUNCEMENT_BYTES} are enough; undefined for one that is malformed or
 * about something flan does not deal with. `ownPort` is that of the socket whose changes are this program's own.
 */
export function decodeAnnouncement(datagram: Uint8Array, ownPort: number): KernelEvent | undefined {
  if (datagram.length < NLMSG_HDRLEN) return undefined;
  // struct nlmsghdr { u32 len; u16 type, flags; u32 seq, pid; }
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  const announcement = announcements[view.getUint16(4, true)];
  if (announcement === undefined || datagram.length < NLMSG_HDRLEN + announcement.head) return undefined;
  const subject = subjectOf(announcement, datagram.subarray(NLMSG_HDRLEN));
  if (subject === undefined) return undefined;
  const port = view.getUint32(12, true);
  return { group: "ipsec", action: announcement.action, own: port === ownPort, port, subject };
}

function subjectOf({ subject }: Announcement, head: Uint8Array): string | undefined {
  try {
    return subject(head);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** `at` is where `struct xfrm_id`, or what begins `struct xfrm_usersa_id` alike, lies: the address and behind it the SPI. */
function stateIn(head: Uint8Array, { at, family }: { at: number; family: number }): string {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return xfrmSubject({
    kind: "xfrm-state",
    destination: addressAt(head, at, view.getUint16(family, true)),
    spi: view.getUint32(at + 16, false),
  });
}

function policyIn(head: Uint8Array, at: number): string | undefined {
  const direction = directions[head[at]!];
  return direction && xfrmSubject({ kind: "xfrm-policy", direction, ...selectorAt(head, 0) });
}
