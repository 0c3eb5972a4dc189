/** The kernel's announcements as they come: a socket of its own, subscribed from the moment it is made. */
import type { KernelEvent } from "../kernel/kernel.ts";
import { GenerationEvents } from "./generation_events.ts";
import { errnoName, errnoNumber } from "./errno.ts";
import { closeFd, eventfd, libc } from "./libc.ts";
import { decodeEvent, LinkNames } from "./event.ts";
import { MessageParser } from "./message_parser.ts";
import { MessageBuilder } from "./message_builder.ts";
import { protocolError } from "./netlink_error.ts";
import { NetlinkSocket } from "./netlink_socket.ts";
import { readable } from "./readable.ts";
import { NLM_F_DUMP, NLM_F_REQUEST, RTM_GETLINK } from "./rtnetlink/constants.ts";
import { IFINFOMSG_LENGTH } from "./rtnetlink/link.ts";

// RTNLGRP_ numbers, linux/rtnetlink.h
const groups = {
  link: 1,
  neighbour: 3,
  ipv4Address: 5,
  ipv4Route: 7,
  ipv6Address: 9,
  ipv6Route: 11,
  nexthop: 32,
};
// sys/eventfd.h
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const RECEIVE_BYTES = 64 * 1024;
const EAGAIN = errnoNumber("EAGAIN")!;
const ENOBUFS = errnoNumber("ENOBUFS")!;
/** Datagrams that are read before the reader gets to see what they hold. */
const MAX_DATAGRAMS = 1000;
/** So many drains read more than the socket's buffer holds: what was there is among it, however fast more comes. */
const MAX_DRAINS = 16;

export interface EventsInit {
  /** The port of the socket whose changes are this program's own. */
  readonly ownPort: number;
  /** SO_RCVBUF in bytes; what does not fit becomes one `overrun`. */
  readonly receiveBuffer: number;
}

/** Somebody who waits until the reader has all that had come when he asked. */
interface Hearer {
  readonly resolve: () => void;
  /** So many drains may still be needed; none when one found nothing left. */
  left: number;
}

/** Subscribes at once. The stream ends, and its descriptors go, when `signal` aborts or its reader leaves. */
export class NetlinkEvents implements AsyncIterable<KernelEvent> {
  readonly #socket: NetlinkSocket;
  readonly #firewall: GenerationEvents | undefined;
  readonly #wake: number;
  readonly #ownPort: number;
  readonly #parser = new MessageParser(RECEIVE_BYTES);
  readonly #names = new LinkNames();
  readonly #signal: AbortSignal;
  /** What came while the links were read. */
  readonly #early: readonly KernelEvent[];
  #iterating = false;
  #closed = false;
  #hearers: Hearer[] = [];
  readonly #left = Promise.withResolvers<void>();
  /** Resolves when its descriptors have gone, for whatever reason. */
  readonly closed: Promise<void> = this.#left.promise;

  constructor(signal: AbortSignal, init: EventsInit) {
    this.#signal = signal;
    this.#ownPort = init.ownPort;
    this.#socket = new NetlinkSocket({
      receiveBuffer: init.receiveBuffer,
      groups: Object.values(groups),
    });
    this.#firewall = GenerationEvents.open(init.receiveBuffer);
    this.#wake = eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
    if (this.#wake < 0) {
      this.#socket.close();
      this.#firewall?.close();
      throw protocolError("wait for kernel events", errnoName(-this.#wake));
    }
    try {
      this.#askForLinks();
      this.#early = this.#drain();
    } catch (error) {
      this.#close();
      throw error;
    }
    signal.addEventListener("abort", this.#stop);
    if (signal.aborted) this.#stop();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<KernelEvent, void, undefined> {
    this.#iterating = true;
    try {
      let events = this.#early;
      for (;;) {
        if (this.#isOver) return;
        for (const event of events) {
          yield event;
          if (this.#isOver) return;
        }
        this.#settleHearers();
        // For a hearer it goes on until nothing is left: what it is woken by was read with the first drain.
        if (this.#hearers.length === 0) await readable(...this.#descriptors);
        if (this.#isOver) return;
        events = this.#drain();
      }
    } finally {
      this.#close();
    }
  }

  /** See {@link Kernel.hear}. */
  async hear(): Promise<void> {
    if (!this.#iterating || this.#isOver) return;
    const heard = new Promise<void>((resolve) => this.#hearers.push({ resolve, left: MAX_DRAINS }));
    libc().eventfd_write(this.#wake, 1n);
    await heard;
  }

  get #isOver(): boolean {
    return this.#closed || this.#signal.aborted;
  }

  /** The reader, who asks for more, has dealt with all that was drained. */
  #settleHearers(): void {
    for (const { left, resolve } of this.#hearers) if (left === 0) resolve();
    this.#hearers = this.#hearers.filter(({ left }) => left > 0);
  }

  /**
   * What is there now, decoded before the reader gets the first: it may take its time. However often the
   * buffer ran over, that is one `overrun`, and it comes last, when what it lost is older than what is read.
   */
  #drain(): KernelEvent[] {
    const events: KernelEvent[] = [];
    let overrun = false;
    let isEmpty = false;
    if (this.#hearers.length > 0) libc().eventfd_read(this.#wake, new Uint8Array(8));
    for (let datagrams = 0; datagrams < MAX_DATAGRAMS; datagrams++) {
      const length = this.#socket.receive(this.#parser.bytes);
      isEmpty = length === -EAGAIN;
      if (isEmpty) break;
      if (length === -ENOBUFS || length > RECEIVE_BYTES) overrun = true;
      else if (length < 0) throw protocolError("receive kernel events", errnoName(-length));
      else this.#decode(length, events);
    }
    const generation = this.#firewall?.take();
    if (generation !== undefined) events.push(generation);
    if (overrun) events.push({ group: "overrun", action: "new", own: false, port: 0 });
    for (const hearer of this.#hearers) hearer.left = isEmpty ? 0 : hearer.left - 1;
    return events;
  }

  get #descriptors(): number[] {
    return [this.#socket.fd, this.#wake, ...(this.#firewall === undefined ? [] : [this.#firewall.fd])];
  }

  #decode(length: number, events: KernelEvent[]): void {
    for (const message of this.#parser.messages(length)) {
      const event = decodeEvent(this.#parser, message, {
        names: this.#names,
        ownPort: this.#ownPort,
        listenerPort: this.#socket.port,
      });
      if (event !== undefined) events.push(event);
    }
  }

  /**
   * Asks for a dump of the links on this very socket, so that their names are known before they go. The
   * kernel writes most of it only while it is read, so it must be read at once.
   */
  #askForLinks(): void {
    const builder = new MessageBuilder();
    try {
      const family = new Uint8Array(IFINFOMSG_LENGTH);
      builder.start({ type: RTM_GETLINK, flags: NLM_F_REQUEST | NLM_F_DUMP }, family);
      this.#socket.send(builder.finish());
    } finally {
      builder.free();
    }
  }

  readonly #stop = (): void => {
    if (this.#closed) return;
    // A reader that waits closes the descriptors itself when it wakes: poll must not lose them under it.
    if (this.#iterating) libc().eventfd_write(this.#wake, 1n);
    else this.#close();
  };

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener("abort", this.#stop);
    this.#socket.close();
    this.#firewall?.close();
    closeFd(this.#wake);
    for (const { resolve } of this.#hearers.splice(0)) resolve();
    this.#left.resolve();
  }
}
