/** The kernel's word that somebody changed IPsec's states or policies: a socket of its own, once it is opened. */
import type { KernelEvent } from "../kernel/kernel.ts";
import { FlanError } from "../net/errors.ts";
import { errnoName, errnoNumber } from "./errno.ts";
import { protocolError } from "./netlink_error.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";
import { readableUntil } from "./readable.ts";
import { ANNOUNCEMENT_BYTES, decodeAnnouncement } from "./xfrm/event.ts";

/** More than the socket's buffer holds: what was there is read by one drain, however fast more comes. */
const MAX_DATAGRAMS = 10_000;
const EAGAIN = errnoNumber("EAGAIN")!;
const ENOBUFS = errnoNumber("ENOBUFS")!;

/** The socket as events use it; see {@link NetlinkSocket}. */
export type Announcements = Pick<NetlinkSocket, "fd" | "receive" | "close">;

export interface XfrmEventsInit {
  /** Subscribes. Throws FlanError where this user may not. */
  readonly openSocket: () => Announcements;
  readonly tell: (event: KernelEvent) => void;
}

/** For one reader. */
export class XfrmEvents {
  readonly #init: XfrmEventsInit;
  readonly #bytes = new Uint8Array(ANNOUNCEMENT_BYTES);
  readonly #opened = Promise.withResolvers<void>();
  #open: { readonly socket: Announcements; readonly ownPort: number } | undefined;

  constructor(init: XfrmEventsInit) {
    this.#init = init;
  }

  /**
   * Subscribes, unless it is done; `ownPort` is that of the socket whose changes are this program's own. Who may not
   * listen is told nothing.
   */
  open(ownPort: number): void {
    if (this.#open !== undefined) return;
    try {
      this.#open = { socket: this.#init.openSocket(), ownPort };
      this.#opened.resolve();
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
    }
  }

  /** Tells what comes from {@link open} on, until `signal` aborts. Throws where the socket cannot be read. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#opened.resolve();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      await this.#opened.promise;
      while (!signal.aborted && this.#open !== undefined) {
        this.drain();
        await readableUntil(signal, this.#open.socket.fd);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#open?.socket.close();
      this.#open = undefined;
    }
  }

  /** Tells what has come. However often the buffer ran over, that is one `overrun`, and it comes last. */
  drain(): void {
    if (this.#open === undefined) return;
    const { socket, ownPort } = this.#open;
    const { tell } = this.#init;
    let overrun = false;
    for (let datagrams = 0; datagrams < MAX_DATAGRAMS; datagrams++) {
      const length = socket.receive(this.#bytes);
      if (length === -EAGAIN) break;
      if (length === -ENOBUFS) overrun = true;
      else if (length < 0) throw protocolError("receive IPsec's events", errnoName(-length));
      else {
        const datagram = this.#bytes.subarray(0, Math.min(length, ANNOUNCEMENT_BYTES));
        const event = decodeAnnouncement(datagram, ownPort);
        if (event !== undefined) tell(event);
      }
    }
    if (overrun) tell({ group: "overrun", action: "new", own: false, port: 0 });
  }
}
