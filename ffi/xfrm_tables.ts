/** The kernel's IPsec, over NETLINK_XFRM. */
import type { KernelEvent } from "../kernel/kernel.ts";
import type { XfrmChange, XfrmTables } from "../kernel/xfrm_tables.ts";
import type { XfrmPolicy, XfrmState } from "../kernel/xfrm.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, type KernelError } from "../net/errors.ts";
import { errnoName } from "./errno.ts";
import { changeError, reasonOf } from "./netlink_error.ts";
import { BATCH_BYTES, type Datagrams, NetlinkRequests } from "./netlink_requests.ts";
import { NetlinkSocket, type NetlinkSocketInit } from "./netlink_socket.ts";
import { type Announcements, XfrmEvents } from "./xfrm_events.ts";
import {
  NETLINK_XFRM,
  POLICY_ID_LENGTH,
  SA_ID_LENGTH,
  XFRM_MSG_GETPOLICY,
  XFRM_MSG_GETSA,
  XFRMNLGRP_POLICY,
  XFRMNLGRP_SA,
} from "./xfrm/constants.ts";
import { decodePolicy, encodePolicy } from "./xfrm/policy.ts";
import { decodeState, encodeImpossibleState, encodeState, encodeStateDelete } from "./xfrm/state.ts";

/** Room for the answers to one whole batch. */
const RECEIVE_BUFFER = 1024 * 1024;
/** Holds what one apply for more than a thousand peers makes the kernel announce. */
const EVENT_BUFFER = 4 * 1024 * 1024;
/** Offset of `nlmsg_pid` in `struct nlmsghdr`. */
const NLMSG_PID = 12;
/** Is there once the module is, which opening a socket would load. */
const MODULE = "/sys/module/xfrm_user";

/** `struct xfrm_usersa_id` and `struct xfrm_userpolicy_id` (linux/xfrm.h), which a dump begins with. */
const tables = [
  { what: "read IPsec states", type: XFRM_MSG_GETSA, head: SA_ID_LENGTH, decode: decodeState },
  { what: "read IPsec policies", type: XFRM_MSG_GETPOLICY, head: POLICY_ID_LENGTH, decode: decodePolicy },
] as const;

export type XfrmSocketInit = Pick<NetlinkSocketInit, "receiveBuffer" | "groups">;

export interface XfrmInit {
  readonly clock: Clock;
  readonly openSocket?: (
    init: XfrmSocketInit,
  ) => Datagrams & Announcements;
}

/** A socket is opened at first use, and one more for each who listens. */
export class NativeXfrm implements XfrmTables {
  readonly #init: XfrmInit;
  readonly #followers = new Set<XfrmEvents>();
  #isListening = false;
  #requests: NetlinkRequests | undefined;
  // One request at a time: they share a socket.
  #queue: Promise<unknown> = Promise.resolve();

  constructor(init: XfrmInit) {
    this.#init = init;
  }

  isThere(): boolean {
    if (this.#requests !== undefined) return true;
    try {
      return Deno.statSync(MODULE).isDirectory;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
        return false;
      }
      throw error;
    }
  }

  require(): void {
    const what = "Cannot use IPsec";
    const lacking = (why: string, hint: string) =>
      new FlanError(`${what}: ${why}`, { op: "kernel.require", code: "unsupported", hint });
    let requests;
    try {
      requests = this.#open();
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      throw lacking(`the kernel has no XFRM, ${error.message}`, "modprobe xfrm_user");
    }
    encodeImpossibleState(requests.builder);
    const [answer] = requests.transact(requests.builder.finish(), [0]);
    const errno = errnoName(answer!.errno);
    // What may not be asked is not known, and passes: whoever may not ask makes no state either.
    if (errno === "EINVAL" || errno === "EPERM") return;
    throw lacking(
      `the kernel has no ESP with AES-GCM, ${reasonOf(answer!)}`,
      "modprobe -a esp4 gcm aes_generic",
    );
  }

  read(): Promise<readonly (XfrmState | XfrmPolicy)[]> {
    return this.#inTurn(async () => {
      const all: (XfrmState | XfrmPolicy)[] = [];
      for (const { what, type, head, decode } of tables) {
        let found: (XfrmState | XfrmPolicy)[] = [];
        await this.#open().dump({
          what,
          type,
          begin: () => found = [],
          encode: (_, start) => start(new Uint8Array(head)),
          visit: (parser, message) => {
            const one = decode(parser, message);
            if (one !== undefined) found.push(one);
          },
        });
        all.push(...found);
      }
      return all;
    });
  }

  write(changes: readonly XfrmChange[]): Promise<readonly (KernelError | undefined)[]> {
    return this.#inTurn(async () => {
      const answers: (KernelError | undefined)[] = [];
      let batch: { change: XfrmChange; bytes: Uint8Array<ArrayBuffer> }[] = [];
      let size = 0;
      for (const change of changes) {
        const bytes = this.#encoded(change);
        if (size + bytes.length > BATCH_BYTES) {
          answers.push(...this.#send(batch));
          [batch, size] = [[], 0];
          await this.#init.clock.turn();
        }
        batch.push({ change, bytes });
        size += bytes.length;
      }
      return [...answers, ...this.#send(batch)];
    });
  }

  listen(): void {
    const { port } = this.#open();
    this.#isListening = true;
    for (const events of this.#followers) events.open(port);
  }

  async follow(tell: (event: KernelEvent) => void, signal: AbortSignal): Promise<void> {
    const groups = [XFRMNLGRP_SA, XFRMNLGRP_POLICY];
    const openSocket = () => this.#socket({ receiveBuffer: EVENT_BUFFER, groups });
    const events = new XfrmEvents({ openSocket, tell });
    this.#followers.add(events);
    try {
      if (this.#isListening) events.open(this.#open().port);
      await events.run(signal);
    } finally {
      this.#followers.delete(events);
    }
  }

  hear(): void {
    for (const events of this.#followers) events.drain();
  }

  close(): void {
    this.#requests?.close();
  }

  #encoded(change: XfrmChange): Uint8Array<ArrayBuffer> {
    const { builder } = this.#open();
    if (change.object.kind === "xfrm-policy") encodePolicy(change.verb, change.object, builder);
    else if ("key" in change) encodeState(change.object, { message: builder, key: change.key });
    else encodeStateDelete(change.object, builder);
    return builder.finish().slice();
  }

  #send(
    batch: readonly { change: XfrmChange; bytes: Uint8Array<ArrayBuffer> }[],
  ): (KernelError | undefined)[] {
    if (batch.length === 0) return [];
    const requests = this.#open();
    const bytes = new Uint8Array(batch.reduce((sum, one) => sum + one.bytes.length, 0));
    const view = new DataView(bytes.buffer);
    let at = 0;
    const offsets = batch.map((one) => {
      bytes.set(one.bytes, at);
      // What is announced of it bears the port that stands here, and not its sender's.
      view.setUint32(at + NLMSG_PID, requests.port, true);
      one.bytes.fill(0);
      at += one.bytes.length;
      return at - one.bytes.length;
    });
    const answers = requests.transact(bytes, offsets);
    // Keys are in it.
    bytes.fill(0);
    return answers.map((answer, i) => {
      const { verb, object } = batch[i]!.change;
      const isGone = verb === "delete" && ["ESRCH", "ENOENT"].includes(errnoName(answer.errno));
      return answer.errno === 0 || isGone ? undefined : changeError({ verb, object }, answer);
    });
  }

  #open(): NetlinkRequests {
    const init = { receiveBuffer: RECEIVE_BUFFER, groups: [] };
    return this.#requests ??= new NetlinkRequests(this.#init.clock, this.#socket(init));
  }

  #socket(init: XfrmSocketInit): Datagrams & Announcements {
    return this.#init.openSocket?.(init) ?? new NetlinkSocket({ protocol: NETLINK_XFRM, ...init });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }
}
