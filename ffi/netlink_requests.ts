/**
 * Requests and their answers on one netlink socket. The kernel carries a request out inside `send`, so the
 * answers are there when it returns and nothing waits.
 */
import type { Clock } from "../net/clock.ts";
import { errnoName, errnoNumber } from "./errno.ts";
import { MessageBuilder } from "./message_builder.ts";
import { type MessageBounds, MessageParser } from "./message_parser.ts";
import { type Answer, decodeAnswer, extendedText, protocolError, queryError } from "./netlink_error.ts";
import { NetlinkSocket } from "./netlink_socket.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "./rtnetlink/constants.ts";

/** Bytes of messages per send: some 500 changes, about a millisecond of the kernel's time. */
export const BATCH_BYTES = 32 * 1024;
/** The kernel's largest dump datagram is 32 KiB, but one message about a link may be longer. */
const RECEIVE_BYTES = 256 * 1024;
/** Room for the error answers to one whole batch. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** After so many datagrams of a dump the event loop gets a turn. */
const DATAGRAMS_PER_TURN = 16;
/** A dump that was interrupted so often in a row is given up. */
const DUMP_ATTEMPTS = 10;
const EAGAIN = errnoNumber("EAGAIN")!;
const ENOBUFS = errnoNumber("ENOBUFS")!;

/** What a dump hands its messages to. Between two calls the parser may be asked for attributes. */
export type Visit = (parser: MessageParser, message: MessageBounds) => void;

export interface DumpQuery {
  /** Of the answers: `read routes`. */
  readonly what: string;
  /** RTM_GET… */
  readonly type: number;
  /** Writes the rest of the request; `start` begins it with a family header. */
  readonly encode: (message: MessageBuilder, start: (family: Uint8Array<ArrayBuffer>) => void) => void;
  /** errno names that mean "there is nothing". */
  readonly empty?: readonly string[];
  /** Called before each attempt, to forget what an interrupted one gave. */
  readonly begin: () => void;
  readonly visit: Visit;
}

/** The socket as requests use it; see {@link NetlinkSocket}. */
export type Datagrams = Pick<NetlinkSocket, "port" | "send" | "receive" | "close">;

const openSocket = (): Datagrams => new NetlinkSocket({ receiveBuffer: RECEIVE_BUFFER, groups: [] });

export class NetlinkRequests {
  /** Builds the messages of this socket, one at a time. */
  readonly builder = new MessageBuilder();
  readonly #socket: Datagrams;
  readonly #parser = new MessageParser(RECEIVE_BYTES);
  readonly #clock: Clock;
  #sequence = 0;

  constructor(clock: Clock, socket: Datagrams = openSocket()) {
    this.#clock = clock;
    this.#socket = socket;
  }

  get port(): number {
    return this.#socket.port;
  }

  /**
   * Sends `count` finished messages that lie one behind another in `bytes`, and returns the answer to each:
   * the last one is acknowledged, and the others only answer where they failed.
   */
  transact(bytes: Uint8Array<ArrayBuffer>, offsets: readonly number[]): Answer[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#sequence + offsets.length > MAX_SEQUENCE) this.#sequence = 0;
    const first = this.#sequence + 1;
    offsets.forEach((offset) => view.setUint32(offset + 8, this.#nextSequence(), true));
    const last = offsets.at(-1)!;
    view.setUint16(last + 6, view.getUint16(last + 6, true) | NLM_F_ACK, true);
    const answers = offsets.map(() => acknowledged);
    const sent = this.#socket.send(bytes);
    if (sent < 0) return answers.map(() => ({ errno: -sent, text: "the batch could not be sent" }));
    this.#collect(answers, first);
    return answers;
  }

  /** Sends the message in the builder, and hands the one message that answers it to `visit`. */
  ask(what: string, op: string, visit: Visit): void {
    this.#drain();
    const sent = this.#socket.send(this.#request(0));
    if (sent < 0) throw queryError(what, { errno: -sent, text: "" }, op);
    for (const message of this.#receive(what)) {
      if (message.sequence !== this.#sequence) continue;
      if (message.type !== NLMSG_ERROR) return visit(this.#parser, message);
      const answer = decodeAnswer(this.#parser, message);
      if (answer !== undefined && answer.errno !== 0) throw queryError(what, answer, op);
    }
    throw protocolError(what, "the kernel's answer is to something else");
  }

  /** Reads a whole table, again where the kernel says that it changed meanwhile. */
  async dump(query: DumpQuery): Promise<void> {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      query.begin();
      if (await this.#dumpOnce(query)) return;
    }
    throw protocolError(query.what, `the table changed during each of ${DUMP_ATTEMPTS} attempts`);
  }

  close(): void {
    this.#socket.close();
    this.builder.free();
  }

  /** False where the dump was interrupted. It is read to its end even so, to leave nothing behind. */
  async #dumpOnce(query: DumpQuery): Promise<boolean> {
    query.encode(
      this.builder,
      (family) => this.builder.start({ type: query.type, flags: NLM_F_REQUEST }, family),
    );
    this.#drain();
    const sent = this.#socket.send(this.#request(NLM_F_DUMP));
    if (sent < 0) throw queryError(query.what, { errno: -sent, text: "" }, "kernel.dump");
    let whole = true;
    for (let datagrams = 1;; datagrams++) {
      for (const message of this.#receive(query.what)) {
        if (message.sequence !== this.#sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) whole = false;
        const answer = this.#end(message, query.what);
        if (answer === undefined) {
          query.visit(this.#parser, message);
          continue;
        }
        if (answer.errno === 0 || query.empty?.includes(errnoName(answer.errno))) return whole;
        throw queryError(query.what, answer, "kernel.dump");
      }
      if (datagrams % DATAGRAMS_PER_TURN === 0) await this.#clock.turn();
    }
  }

  /** The answer in a message that ends a dump; undefined for the messages before. */
  #end(message: MessageBounds, what: string): Answer | undefined {
    if (message.type === NLMSG_ERROR) {
      const answer = decodeAnswer(this.#parser, message);
      if (answer === undefined) throw protocolError(what, "the kernel's answer is too short");
      return answer;
    }
    if (message.type !== NLMSG_DONE) return undefined;
    // The payload is an int: 0, or a negative errno that ended the dump.
    if (message.length < 20) return acknowledged;
    const errno = -(this.#parser.headU32(message, 0) | 0);
    return errno === 0 ? acknowledged : { errno, text: extendedText(this.#parser, message, 4) };
  }

  #collect(answers: Answer[], first: number): void {
    const last = first + answers.length - 1;
    for (;;) {
      const length = this.#socket.receive(this.#parser.bytes);
      if (length < 0) {
        // Answers were lost, so which changes failed is not known: none counts as done.
        const text = "the kernel's answers were lost";
        for (let i = 0; i < answers.length; i++) {
          if (answers[i] === acknowledged) answers[i] = { errno: -length, text };
        }
        if (-length === ENOBUFS) this.#drain();
        return;
      }
      for (const message of this.#parser.messages(Math.min(length, RECEIVE_BYTES))) {
        if (message.type !== NLMSG_ERROR || message.sequence < first || message.sequence > last) continue;
        const answer = decodeAnswer(this.#parser, message);
        if (answer === undefined) continue;
        if (answer.errno !== 0) answers[message.sequence - first] = answer;
        if (message.sequence === last) return;
      }
    }
  }

  /** The messages of the next datagram. Throws where none is there or it does not fit. */
  #receive(what: string): Iterable<MessageBounds> {
    const length = this.#socket.receive(this.#parser.bytes);
    if (length === -EAGAIN) throw protocolError(what, "the kernel's answer ended too early");
    if (length < 0) throw queryError(what, { errno: -length, text: "" }, "ffi.netlink");
    if (length > RECEIVE_BYTES) throw protocolError(what, `the kernel's answer is ${length} bytes long`);
    return this.#parser.messages(length);
  }

  /** Reads what an earlier request that failed half-way may have left. */
  #drain(): void {
    let length;
    do length = this.#socket.receive(this.#parser.bytes); while (length >= 0 || length === -ENOBUFS);
  }

  /** The message in the builder with its sequence number and flags. */
  #request(flags: number): Uint8Array<ArrayBuffer> {
    const bytes = this.builder.finish();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    view.setUint16(6, view.getUint16(6, true) | flags, true);
    view.setUint32(8, this.#nextSequence(), true);
    return bytes;
  }

  #nextSequence(): number {
    // 0 is what the kernel's own notifications carry.
    this.#sequence = this.#sequence >= MAX_SEQUENCE ? 1 : this.#sequence + 1;
    return this.#sequence;
  }
}

const MAX_SEQUENCE = 0x7fffffff;
const acknowledged: Answer = { errno: 0, text: "" };
