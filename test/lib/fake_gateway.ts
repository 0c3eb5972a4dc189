/** One client's way to a fake etcd, and what can go wrong on it. */
import type { CallOptions, Gateway, Method } from "../../lease/etcd/gateway.ts";
import type { JsonObject } from "../../lease/go_json.ts";
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { FakeEtcd } from "./fake_etcd.ts";

/** How long a call waits for an answer, in milliseconds. */
export const CALL_TIMEOUT = 5000;

/** How late an event comes at most that others overtake, in milliseconds. */
const LATE = 1000;

/** `away`: nobody listens. `black-hole`: nothing comes back, and nobody hangs up. */
export type Reach = "well" | "away" | "black-hole";

export class FakeGateway implements Gateway {
  /** How many of the next calls take effect without an answer. */
  lostReplies = 0;
  /** Whether a call without an answer is made again, as the real client does where it has another endpoint. */
  repeats = false;
  /** Whether events come twice now and then, the second time late. */
  duplicates = false;
  /** Whether events overtake others now and then. */
  reorders = false;
  /** How often each method was called. */
  readonly calls = new Map<Method | "watch", number>();
  readonly #etcd: FakeEtcd;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  readonly #closed = new AbortController();
  #reach: Reach = "well";

  constructor(etcd: FakeEtcd, clock: Clock) {
    this.#etcd = etcd;
    this.#clock = clock;
  }

  get reach(): Reach {
    return this.#reach;
  }

  set reach(reach: Reach) {
    this.#reach = reach;
    if (reach === "away") this.breakStreams();
    for (const stream of this.#streams) stream.wake();
  }

  /** Watches that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Messages of watches that have not arrived. */
  get pending(): number {
    let pending = 0;
    for (const stream of this.#streams) pending += stream.pending;
    return pending;
  }

  /** Ends every watch in good order, as a server does that stops. */
  endStreams(): void {
    for (const stream of [...this.#streams]) stream.end("ended");
  }

  breakStreams(): void {
    for (const stream of [...this.#streams]) stream.end("broken");
  }

  async call(
    method: Method,
    request: JsonObject,
    { signal, repeated }: CallOptions = {},
  ): Promise<JsonObject> {
    this.#count(method);
    const either = AbortSignal.any([this.#closed.signal, ...signal === undefined ? [] : [signal]]);
    for (;;) {
      await this.#connect(either);
      if (either.aborted) throw away("the request was given up");
      const answer = this.#etcd.call(method, request);
      // It may have become unreachable while the answer was under way.
      await Promise.resolve();
      if (this.#reach !== "well") await this.#connect(either);
      if (this.lostReplies === 0) return answer;
      this.lostReplies--;
      if (!this.repeats) throw away("the connection was reset");
      repeated?.();
    }
  }

  async *watch(
    request: JsonObject,
    { signal, lifetime }: { signal: AbortSignal; lifetime: number },
  ): AsyncGenerator<JsonObject> {
    this.#count("watch");
    await this.#connect(signal).catch((error) => {
      if (!signal.aborted) throw error;
    });
    if (signal.aborted) return;
    const stream = new Stream(this, this.#clock);
    const leave = this.#etcd.watch(request.create_request as JsonObject, (range) => stream.on(range));
    const over = new AbortController();
    const close = () => stream.close();
    signal.addEventListener("abort", close, { once: true });
    this.#clock.sleep(lifetime, over.signal).then(close);
    this.#streams.add(stream);
    try {
      for (;;) {
        const message = await stream.next();
        if (message === undefined) return;
        yield message;
      }
    } finally {
      leave();
      over.abort("the watch is over");
      this.#streams.delete(stream);
      signal.removeEventListener("abort", close);
    }
  }

  probe(): ReturnType<Gateway["probe"]> {
    const error = this.#reach === "well" ? undefined : away("connection refused");
    return Promise.resolve([{ endpoint: "http://fake:2379", error, ahead: 0 }]);
  }

  close(): void {
    this.#closed.abort();
    for (const stream of this.#streams) stream.close();
  }

  #count(method: Method | "watch"): void {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
  }

  async #connect(signal?: AbortSignal): Promise<void> {
    if (this.#reach === "black-hole") {
      await this.#clock.sleep(CALL_TIMEOUT, signal);
      if (signal?.aborted) throw away("the request was given up");
      throw away(`no answer within ${CALL_TIMEOUT / 1000} s`);
    }
    if (this.#reach === "away") throw away("connection refused");
  }
}

/** The messages of one watch on their way. */
class Stream {
  readonly #gateway: FakeGateway;
  readonly #clock: Clock;
  readonly #messages: JsonObject[] = [];
  #held: JsonObject[] = [];
  #ended: "ended" | "broken" | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(gateway: FakeGateway, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
  }

  get pending(): number {
    return this.#messages.length + this.#held.length;
  }

  on(range: Parameters<Parameters<FakeEtcd["watch"]>[1]>[0]) {
    return {
      range,
      deliver: (message: JsonObject) => this.#deliver(message),
      end: (how: "ended" | "broken") => this.end(how),
    };
  }

  end(how: "ended" | "broken"): void {
    this.#ended = how;
    this.#release();
  }

  /** The client hangs up. */
  close(): void {
    this.#closed = true;
    this.wake();
  }

  wake(): void {
    this.#wake?.();
  }

  async next(): Promise<JsonObject | undefined> {
    for (;;) {
      if (this.#closed) return undefined;
      if (this.#gateway.reach !== "black-hole") {
        if (this.#messages.length > 0) return this.#messages.shift();
        if (this.#ended === "ended") return undefined;
        if (this.#ended === "broken") throw away("the connection was reset");
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #release(): void {
    this.#messages.push(...this.#held.splice(0));
    this.wake();
  }

  #deliver(message: JsonObject): void {
    const { reorders, duplicates } = this.#gateway;
    const isEvent = message.events !== undefined;
    const late = this.#held.splice(0);
    if (isEvent && reorders && late.length === 0 && this.#clock.random(2) === 0) this.#held.push(message);
    else this.#messages.push(message);
    this.#messages.push(...late);
    if (isEvent && duplicates && this.#clock.random(2) === 0) this.#held.push(message);
    this.wake();
    if (this.#held.length > 0) this.#clock.sleep(LATE).then(() => this.#release());
  }
}

function away(why: string): FlanError {
  return new FlanError(`Cannot reach http://fake:2379: ${why}`, { op: "store.request", code: "store" });
}
