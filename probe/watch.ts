/**
 * Watches peers in the background: each about twice a minute, at a pace that does not grow with their number. Whoever
 * does not answer is tried again soon, so that a loss is told within seconds and a single lost packet is not.
 */
import type { Clock } from "../net/clock.ts";
import { familyOf } from "../net/ip.ts";
import type { Outcome } from "./exchange.ts";
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
/** News are told at once, and then at most so often: whoever hears them looks at all peers. */
const TELL_MS = 1000;
/** After so many further ones a hole is measured anew: it may have become another one. */
const MEASURE_AGAIN = 10;

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
  /** When the next news may be told, and whether there are any. */
  #tellAt = 0;
  #hasNews = false;
  #news = new AbortController();

  /**
   * `changed` is called within a second when somebody's state means something else than before, which a time alone does
   * not; once for all that changed meanwhile.
   */
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
    if (gone.length > 0) this.#hear();
  }

  /** Visits one after the other until `signal` aborts. */
  async run({ tools }: { tools: Tools }, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#tell();
      const wait = Math.min(this.#nextDue(), this.#hasNews ? this.#tellAt : Infinity) -
        this.#clock.monotonic();
      this.#news = new AbortController();
      if (wait > 0) {
        await this.#clock.sleep(wait, AbortSignal.any([signal, this.#news.signal]));
        continue;
      }
      const one = this.#next();
      const visit = this.#visit(one, { tools, signal }).finally(() => this.#again(one));
      // Finding out a size takes many probes: nobody else is visited meanwhile.
      if (isToBeMeasured(one.large + 1)) await visit;
      await this.#clock.sleep(GAP_MS, signal);
    }
  }

  #hear(): void {
    this.#hasNews = true;
    this.#tell();
  }

  #tell(): void {
    const now = this.#clock.monotonic();
    if (!this.#hasNews || now < this.#tellAt) return;
    this.#hasNews = false;
    this.#tellAt = now + TELL_MS;
    this.#changed();
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

  /** Nothing comes of a visit during which `signal` aborts: what a closed socket does not let through is no loss. */
  async #visit(one: Watched, { tools, signal }: { tools: Tools; signal: AbortSignal }): Promise<void> {
    const before = one.state;
    const { mtu } = tools;
    const heard = await hear(one.target, { ...tools, mtu });
    if (signal.aborted) return;
    if (heard === undefined) missed(one);
    else met(one, { ...heard, mtu });
    if (isToBeMeasured(one.large)) {
      const { address, how, rtt } = one.state;
      const found = await pathMtu(address, { how, slowest: rtt ?? 0 }, tools);
      if (!signal.aborted) one.state = { ...one.state, ...found };
      else one.large = 0;
    }
    if (this.#peers.get(one.target.address) === one && isOther(before, one.state)) this.#hear();
  }
}

type Heard = Pick<PeerState, "how" | "mtu"> & { readonly small: Outcome; readonly large: Outcome };

/** Sends a small and a large probe, by ICMP where those of flan are not answered; undefined where nothing is. */
async function hear({ address, isFlan }: Target, tools: Tools): Promise<Omit<Heard, "mtu"> | undefined> {
  for (const how of isFlan ? ["udp", "icmp"] as const : ["icmp"] as const) {
    const [small, large] = await Promise.all([
      probe(address, { how, size: SMALLEST_PROBE[familyOf(address)] }, tools),
      probe(address, { how, size: tools.mtu }, tools),
    ]);
    if (small.ms !== undefined || large.ms !== undefined) return { how, small, large };
  }
  return undefined;
}

function probe(
  address: string,
  what: { how: PeerState["how"]; size: number },
  { exchange }: Tools,
): Promise<Outcome> {
  return exchange.probe(address, { ...what, round: 0, within: PATIENCE_MS });
}

function missed(one: Watched): void {
  one.losses++;
  one.large = 0;
  if (one.losses >= STRIKES) one.state = { ...one.state, isUp: false, rtt: undefined };
}

function met(one: Watched, { how, small, large, mtu }: Heard): void {
  one.losses = 0;
  one.large = large.ms === undefined ? one.large + 1 : 0;
  const whole = one.large === 0 ? { mtu, tooLarge: 0 } : {};
  one.state = { ...one.state, isUp: true, rtt: small.ms ?? large.ms, how, ...whole };
}

function isToBeMeasured(large: number): boolean {
  return large >= STRIKES && (large - STRIKES) % MEASURE_AGAIN === 0;
}

function isOther(a: PeerState, b: PeerState): boolean {
  return a.isUp !== b.isUp || a.mtu !== b.mtu || a.tooLarge !== b.tooLarge;
}

function watched(target: Target, due: number): Watched {
  const state = { address: target.address, isUp: undefined, rtt: undefined, mtu: 0, tooLarge: 0 };
  return { target, state: { ...state, how: target.isFlan ? "udp" : "icmp" }, losses: 0, large: 0, due };
}
