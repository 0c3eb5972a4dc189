/** One address from which this host probes and at which it is probed: the socket with everybody who uses it. */
import type { Clock } from "../net/clock.ts";
import { Asked } from "./asked.ts";
import { Exchange } from "./exchange.ts";
import { measure, type Target, type Tools } from "./measure.ts";
import type { Packet } from "./packet.ts";
import { Responder } from "./responder.ts";
import type { ProbeSocket, Remote } from "./socket.ts";
import { type Survey, survey } from "./survey.ts";

export interface SessionInit {
  /** Where the socket is bound. */
  readonly at: Remote;
  readonly clock: Clock;
  readonly toldMtu: (address: string) => Promise<number>;
}

/** Who is in the network, and how large its packets are. */
export interface Members {
  readonly targets: readonly Target[];
  readonly mtu: number;
}

export class Session {
  readonly at: Remote;
  readonly #socket: ProbeSocket;
  readonly #clock: Clock;
  readonly #toldMtu: SessionInit["toldMtu"];
  readonly #exchange: Exchange;
  readonly #responder: Responder;
  readonly #asked: Asked;
  #members: ReadonlyMap<string, Target> = new Map();
  #mtu = 0;

  constructor(socket: ProbeSocket, { at, clock, toldMtu }: SessionInit) {
    this.at = at;
    this.#socket = socket;
    this.#clock = clock;
    this.#toldMtu = toldMtu;
    const other = (packet: Packet, from: Remote) => this.#take(packet, from);
    this.#exchange = new Exchange(socket, { clock, port: at.port, other });
    this.#responder = new Responder(socket, clock);
    this.#asked = new Asked({
      socket,
      targets: () => this.#members,
      measure: (target, round) => measure(target, round, this.tools),
      heard: (address, round) => this.#responder.heard(address, round),
    });
  }

  /** What a measurement takes, as it is now. */
  get tools(): Tools {
    const [session, exchange, clock, toldMtu] = [this, this.#exchange, this.#clock, this.#toldMtu];
    return {
      exchange,
      clock,
      toldMtu,
      get mtu() {
        return session.#mtu;
      },
    };
  }

  /** Takes in who may ask and be asked from now on. */
  follow({ targets, mtu }: Members): void {
    this.#members = new Map(targets.map((target) => [target.address, target]));
    this.#mtu = mtu;
    this.#responder.keep((address) => this.#members.has(address));
  }

  /** Measures to and from some of the members, or between all of them. */
  async survey(targets: readonly Target[], { all }: { all: boolean }): Promise<Survey> {
    const heard = (address: string, round: number) => this.#responder.heard(address, round);
    return await survey({ ...this.tools, mtu: this.#mtu, own: this.at.address, targets, all, heard });
  }

  /** Answers until it is closed. */
  async run(): Promise<void> {
    await this.#socket.receive(this.#exchange);
  }

  close(): void {
    this.#socket.close();
  }

  /** Only members are answered. */
  #take(packet: Packet, from: Remote): void {
    if (!this.#members.has(from.address)) return;
    if (packet.kind === "probe") this.#responder.take(packet, from);
    else if (packet.kind === "question") this.#asked.take(packet, from);
  }
}
