/**
 * The kernel's word that the packet filter has another generation: one message for each transaction of anybody's, with
 * the process that made it (NFT_MSG_NEWGEN of linux/netfilter/nf_tables.h).
 */
import type { KernelEvent } from "../kernel/kernel.ts";
import { FlanError } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { errnoNumber } from "./errno.ts";
import { MessageParser, Policy } from "./message_parser.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink_socket.ts";

// linux/netfilter/nfnetlink.h: a type is the subsystem and its message; struct nfgenmsg { u8 family, version; be16 res_id; }
const NFNLGRP_NFTABLES = 7;
const NFT_MSG_NEWGEN = (10 << 8) | 15;
const NFGENMSG_LENGTH = 4;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;
const policy = new Policy({ [NFTA_GEN_PROC_PID]: "bytes", [NFTA_GEN_PROC_NAME]: "string" });

const RECEIVE_BYTES = 64 * 1024;
const EAGAIN = errnoNumber("EAGAIN")!;
/** Datagrams that are read in one go; each rule of a transaction is one. */
const MAX_DATAGRAMS = 10_000;

export class GenerationEvents {
  readonly #socket: NetlinkSocket;
  readonly #parser = new MessageParser(RECEIVE_BYTES);

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Subscribes; undefined where the kernel has no nf_tables, or this user may not listen. */
  static open(receiveBuffer: number): GenerationEvents | undefined {
    try {
      const init = { protocol: NETLINK_NETFILTER, receiveBuffer, groups: [NFNLGRP_NFTABLES] };
      return new GenerationEvents(new NetlinkSocket(init));
    } catch (error) {
      if (error instanceof FlanError) return undefined;
      throw error;
    }
  }

  get fd(): number {
    return this.#socket.fd;
  }

  /** What has come, as one event: that of the last transaction that is not this process's own. Lost ones count too. */
  take(): KernelEvent | undefined {
    let last: KernelEvent | undefined;
    for (let datagrams = 0; datagrams < MAX_DATAGRAMS; datagrams++) {
      const length = this.#socket.receive(this.#parser.bytes);
      if (length === -EAGAIN) break;
      // ENOBUFS, or anything else that leaves unknown what has come: it is looked at all the same.
      const found = length < 0 ? [unknownChange] : this.#changes(Math.min(length, RECEIVE_BYTES));
      for (const event of found) if (last === undefined || !event.own || last.own) last = event;
    }
    return last;
  }

  close(): void {
    this.#socket.close();
  }

  #changes(length: number): KernelEvent[] {
    const events: KernelEvent[] = [];
    for (const message of this.#parser.messages(length)) {
      if (message.type !== NFT_MSG_NEWGEN) continue;
      if (!this.#parser.parse(message, NFGENMSG_LENGTH, policy)) continue;
      const pid = this.#parser.data(NFTA_GEN_PROC_PID);
      const port = pid?.length === 4 ? new DataView(pid.buffer, pid.byteOffset).getUint32(0, false) : 0;
      const program = this.#parser.string(NFTA_GEN_PROC_NAME);
      events.push({
        ...unknownChange,
        own: isOwnThread(port),
        port,
        ...(program !== undefined && { program: printable(program, 16) }),
      });
    }
    return events;
  }
}

/** What the kernel calls a process here is the thread that made the transaction. */
function isOwnThread(id: number): boolean {
  try {
    return Deno.statSync(`/proc/self/task/${id}`).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const unknownChange: KernelEvent = { group: "firewall", action: "new", own: false, port: 0 };
