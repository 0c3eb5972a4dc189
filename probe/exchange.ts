/** Sends packets and waits for what answers them. An answer counts when it has the token and comes from where it must. */
import type { Clock } from "../net/clock.ts";
import { familyOf } from "../net/ip.ts";
import { decodeEchoReply, encodeEcho } from "./icmp.ts";
import { decode, encode, type Packet, type Token } from "./packet.ts";
import type { Arrivals, ProbeSocket, Remote } from "./socket.ts";

/** What became of a packet: the answer and how long it took, or neither, and why it could not even be sent. */
export interface Outcome {
  /** Milliseconds. */
  readonly ms?: number;
  readonly packet?: Packet;
  /** The errno name. */
  readonly error?: string;
}

export interface ProbeInit {
  readonly how: "udp" | "icmp";
  /** Bytes of the packet, headers and all. */
  readonly size: number;
  readonly round: number;
  /** Milliseconds that an answer may take. */
  readonly within: number;
}

interface Awaited {
  readonly from: string;
  readonly sent: number;
  readonly settle: (outcome: Outcome) => void;
}

export class Exchange implements Arrivals {
  readonly #socket: ProbeSocket;
  readonly #clock: Clock;
  readonly #port: number;
  readonly #awaited = new Map<Token, Awaited>();
  /** Takes what answers nothing. */
  readonly #other: (packet: Packet, from: Remote) => void;

  constructor(
    socket: ProbeSocket,
    { clock, port, other }: { clock: Clock; port: number; other: (packet: Packet, from: Remote) => void },
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#port = port;
    this.#other = other;
  }

  /** Sends one probe, and resolves when its reply has come or will not. */
  async probe(address: string, { how, size, round, within }: ProbeInit): Promise<Outcome> {
    const of = { family: familyOf(address), size };
    return await this.#await(address, within, (token) => {
      if (how === "icmp") return this.#socket.sendEcho(encodeEcho(token, of), address);
      return this.#send(encode({ kind: "probe", token, round }, of), address);
    });
  }

  /** Asks a host once. */
  async ask(
    address: string,
    { within, ...question }: { round: number; page: number; targets: readonly string[]; within: number },
  ): Promise<Outcome> {
    const of = { family: familyOf(address) };
    return await this.#await(
      address,
      within,
      (token) => this.#send(encode({ kind: "question", token, ...question }, of), address),
    );
  }

  #send(bytes: Uint8Array<ArrayBuffer>, address: string): string | undefined {
    return this.#socket.sendDatagram(bytes, { address, port: this.#port });
  }

  async #await(
    from: string,
    within: number,
    send: (token: Token) => string | undefined,
  ): Promise<Outcome> {
    const token = this.#clock.randomBytes(8).toHex();
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const over = new AbortController();
    this.#awaited.set(token, { from, sent: this.#clock.monotonic(), settle: resolve });
    const error = send(token);
    if (error === undefined) {
      // Where this program was busy the answer may wait already: it gets its turn first.
      this.#clock.sleep(within, over.signal).then(() => this.#clock.turn()).then(() => resolve({}));
    } else resolve({ error });
    const outcome = await promise;
    over.abort();
    this.#awaited.delete(token);
    return outcome;
  }

  datagram(bytes: Uint8Array, from: Remote): void {
    const packet = decode(bytes, familyOf(from.address));
    if (packet === undefined) return;
    if (packet.kind === "reply" || packet.kind === "answer") {
      this.#arrived(packet.token, from.address, packet);
    } else this.#other(packet, from);
  }

  echo(bytes: Uint8Array, from: string): void {
    const token = decodeEchoReply(bytes, familyOf(from));
    if (token !== undefined) this.#arrived(token, from);
  }

  #arrived(token: Token, from: string, packet?: Packet): void {
    const awaited = this.#awaited.get(token);
    if (awaited === undefined || awaited.from !== from) return;
    const ms = Math.max(0, this.#clock.monotonic() - awaited.sent);
    awaited.settle({ ms, ...(packet && { packet }) });
  }
}
