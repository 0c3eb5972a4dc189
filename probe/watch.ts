/**
 * Watches peers in the background: each about twice a minute, at a pace that does not grow with their number. Whoever
 * does not answer is tried again soon, so that a loss is told within seconds and a single lost packet is not.
 */
import type { Clock } from "../net/clock.ts";
import { pathMtu, PATIENCE_MS, type Target, type Tools } from "./measure.ts";
import { SMALLEST_PROBE } from "./packet.ts";

/** Between two visits to one peer, and up to a fifth more. */
const PERIOD_MS = 30_000;
/** Before the next visit to one that was not well. */
const AGAIN_MS = 2000;
/** Between the beginnings of two visits, which have at most four probes each: 50 a second in all. */
const GAP_MS = 80;
/** So many visits in a row tell, of silence as of packets that are too large. */
const STRIKES = 3;

/** What is known of a peer. */
export interface PeerState {
  readonly address: string;
  /** Undefined before the first answer or the third loss. */
  readonly isUp: boolean | undefined;
  /** Milliseconds of the last reply; undefined while there is none. */
  readonly rtt: number | undefined;
  readonly how: "udp" | "icmp";
  /** The largest packet known to pass, 0 where none is. */
  readonly mtu: number;
  /** The smallest known not to, 0 where there is none. */
  readonly tooLarge: number;
}

interface Watched {
  target: Target;
  state: PeerState;
  losses: number;
  /** Visits in a row in which only the large probe was lost. */
  large: number;
  due: number;
}

export class PeerWatch {
  readonly #clock: Clock;
  readonly #peers = new Map<string, Watched>();
  /** Both in the order in which they are due. */
  #regular: Watched[] = [];
  #soon: Watched[] = [];
  readonly #changed: () => void;
  #news = new AbortController();

  /** `changed` is called whenever somebody's state may mean something else than before. */
  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get states(): readonly PeerState[] {
    return [...this.#peers.values()].map(({ state }) => state);
  }

  /** Takes in who is to be watched from now on. */
  follow(targets: readonly Target[]): void {
    const wanted = new Map(targets.map((target) => [target.address, target]));
    const gone = [...this.#peers].filter(([address, { target }]) =>
      wanted.get(address)?.isFlan !== target.isFlan
    );
    for (const [address] of gone) this.#peers.delete(address);
    const added = targets.filter(({ address }) => !this.#peers.has(address));
    if (gone.length === 0 && added.length === 0) return;
    const isHere = (one: Watched) => this.#peers.get(one.target.address) === one;
    this.#regular = this.#regular.filter(isHere);
    this.#soon = this.#soon.filter(isHere);
    // A peer that joins just now may not know this host yet.
    const due = this.#clock.monotonic() + AGAIN_MS / 2;
    const fresh = added.map((target) => watched(target, due));
    for (const one of fresh) this.#peers.set(one.target.address, one);
    this.#soon.push(...fresh);
    this.#news.abort();
    if (gone.length > 0) this.#changed();
  }

  /** Visits one after the other until `signal` aborts. */
  async run({ tools }: { tools: Tools }, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wait = this.#nextDue() - this.#clock.monotonic();
      this.#news = new AbortController();
      if (wait > 0) {
        await this.#clock.sleep(wait, AbortSignal.any([signal, this.#news.signal]));
        continue;
      }
      const one = this.#next();
      const visit = this.#visit(one, tools).finally(() => this.#again(one));
      // Finding out a size takes many probes: nobody else is visited meanwhile.
      if (one.large === STRIKES - 1) await visit;
      await this.#clock.sleep(GAP_MS, signal);
    }
  }

  #nextDue(): number {
    return Math.min(this.#soon[0]?.due ?? Infinity, this.#regular[0]?.due ?? Infinity);
  }

  #next(): Watched {
    const isSoon = (this.#soon[0]?.due ?? Infinity) <= (this.#regular[0]?.due ?? Infinity);
    return (isSoon ? this.#soon : this.#regular).shift()!;
  }

  #again(one: Watched): void {
    if (this.#peers.get(one.target.address) !== one) return;
    const isUnsure = one.losses > 0 && one.losses < STRIKES || one.large > 0 && one.large < STRIKES;
    const now = this.#clock.monotonic();
    one.due = now + (isUnsure ? AGAIN_MS : PERIOD_MS + this.#clock.random(PERIOD_MS / 5));
    (isUnsure ? this.#soon : this.#regular).push(one);
    this.#news.abort();
  }

  async #visit(one: Watched, tools: Tools): Promise<void> {
    const how = one.target.isFlan ? "udp" : "icmp";
    const isAnswered = await this.#probe(one, { how, tools });
    if (!isAnswered && (how === "icmp" || !await this.#probe(one, { how: "icmp", tools }))) {
      one.losses++;
      one.large = 0;
      if (one.losses >= STRIKES) one.state = { ...one.state, isUp: false, rtt: undefined };
    }
    if (one.large === STRIKES) await this.#findMtu(one, tools);
    if (this.#peers.get(one.target.address) === one) this.#changed();
  }

  /** A small and a large probe; resolves to whether any of them was answered. */
  async #probe(
    one: Watched,
    { how, tools: { exchange, mtu } }: { how: PeerState["how"]; tools: Tools },
  ): Promise<boolean> {
    const outcomes = await Promise.all(
      [SMALLEST_PROBE, mtu].map((size) =>
        exchange.probe(one.target.address, { how, size, round: 0, within: PATIENCE_MS })
      ),
    );
    const [small, large] = outcomes as [typeof outcomes[0], typeof outcomes[0]];
    const rtt = small.ms ?? large.ms;
    if (rtt === undefined) return false;
    one.losses = 0;
    one.state = { ...one.state, isUp: true, rtt, how };
    one.large = large.ms === undefined ? one.large + 1 : 0;
    if (one.large === 0) one.state = { ...one.state, mtu, tooLarge: 0 };
    return true;
  }

  async #findMtu(one: Watched, tools: Tools): Promise<void> {
    const { address, how, rtt } = one.state;
    one.state = { ...one.state, ...await pathMtu(address, { how, slowest: rtt ?? 0 }, tools) };
  }
}

function watched(target: Target, due: number): Watched {
  const state = { address: target.address, isUp: undefined, rtt: undefined, mtu: 0, tooLarge: 0 };
  return { target, state: { ...state, how: target.isFlan ? "udp" : "icmp" }, losses: 0, large: 0, due };
}
