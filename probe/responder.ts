/** Answers the probes of other hosts, and counts what it heard of each measurement. */
import type { Clock } from "../net/clock.ts";
import { familyOf } from "../net/ip.ts";
import { encode, type Packet } from "./packet.ts";
import type { ProbeSocket, Remote } from "./socket.ts";

/** What one host gets answered: so many at once, and so many a second on the average. */
const BURST = 400;
const PER_SECOND = 100;
/** Hosts and measurements that are counted at the same time. */
const MAX_HEARD = 10_000;

interface Bucket {
  left: number;
  at: number;
}

export class Responder {
  readonly #socket: ProbeSocket;
  readonly #clock: Clock;
  /** Only for addresses of members, so that there are no more of them than members. */
  readonly #buckets = new Map<string, Bucket>();
  /** In the order in which they were heard of first. */
  readonly #heard = new Map<string, number>();

  constructor(socket: ProbeSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  /** Answers the probe of a member. Whoever sends too many is not answered: lost replies say so. */
  take({ token, round }: Packet, from: Remote): void {
    if (!this.#allows(from.address)) return;
    if (round !== 0) this.#count(keyOf(from.address, round));
    const of = { family: familyOf(from.address) };
    this.#socket.sendDatagram(encode({ kind: "reply", token, round }, of), from);
  }

  /** How many probes of a measurement came from an address. */
  heard(address: string, round: number): number {
    return this.#heard.get(keyOf(address, round)) ?? 0;
  }

  /** Forgets who is no member any more. */
  keep(isMember: (address: string) => boolean): void {
    for (const address of this.#buckets.keys()) if (!isMember(address)) this.#buckets.delete(address);
  }

  #allows(address: string): boolean {
    const now = this.#clock.monotonic();
    const { left, at } = this.#buckets.get(address) ?? { left: BURST, at: now };
    const filled = Math.min(BURST, left + (now - at) * PER_SECOND / 1000);
    this.#buckets.set(address, { left: Math.max(0, filled - 1), at: now });
    return filled >= 1;
  }

  #count(key: string): void {
    this.#heard.set(key, (this.#heard.get(key) ?? 0) + 1);
    if (this.#heard.size <= MAX_HEARD) return;
    for (const oldest of this.#heard.keys()) {
      this.#heard.delete(oldest);
      return;
    }
  }
}

function keyOf(address: string, round: number): string {
  return `${address} ${round}`;
}
