/** The way of one process to etcd: every call takes a while in both directions, and a process that died gets no answer. */
import type { CallOptions, Gateway, Method } from "../../lease/etcd/gateway.ts";
import type { JsonObject } from "../../lease/go_json.ts";
import { FlanError } from "../../net/errors.ts";
import type { FakeClock } from "../lib/fake_clock.ts";
import { CALL_TIMEOUT, type FakeGateway, type Reach } from "../lib/fake_gateway.ts";
import type { WorldClock } from "./clock.ts";
import type { Gate } from "./gate.ts";
import type { Stall } from "./stall.ts";

/** Milliseconds from one end to the other. */
const DELAYS = [0, 0, 0, 1, 2, 5, 30];

export interface LinkParts {
  readonly gateway: FakeGateway;
  readonly clock: WorldClock;
  readonly chance: FakeClock;
  readonly gate: Gate;
  readonly stall: Stall;
  /** Called with the id of an etcd lease that is about to be revoked. */
  readonly revoking: (id: string) => void;
}

/** A call that is to fail: the `at`-th from now on, before or after it took effect. */
export interface Failing {
  readonly at: number;
  readonly effect: "before" | "after";
}

export class Link implements Gateway {
  failing: Failing | undefined;
  /** Called when that call fails. */
  failed: () => void = () => {};
  /** Calls since the beginning. */
  calls = 0;
  /** Requests and answers on their way. */
  underWay = 0;
  readonly #parts: LinkParts;
  readonly #streams = new AbortController();

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get reach(): Reach {
    return this.#parts.gateway.reach;
  }

  set reach(reach: Reach) {
    this.#parts.gateway.reach = reach;
  }

  /** Whether whatever etcd has to say to this process has arrived. */
  get inTouch(): boolean {
    const { gateway, gate, stall } = this.#parts;
    return gate.isOpen && !stall.stalled && gateway.reach === "well" && this.underWay === 0 &&
      gateway.streams > 0 && gateway.pending === 0;
  }

  async call(method: Method, request: JsonObject, options: CallOptions = {}): Promise<JsonObject> {
    const { gate } = this.#parts;
    const failing = this.failing?.at === ++this.calls ? this.failing.effect : undefined;
    this.underWay++;
    try {
      return await gate.through(this.#travel(method, { request, failing, options }));
    } finally {
      this.underWay--;
    }
  }

  async *watch(
    request: JsonObject,
    { signal, lifetime }: { signal: AbortSignal; lifetime: number },
  ): AsyncGenerator<JsonObject> {
    const { gateway, gate, stall } = this.#parts;
    if (stall.stalled) await this.#inVain(signal);
    if (signal.aborted) return;
    const both = AbortSignal.any([signal, this.#streams.signal]);
    const messages = gateway.watch(request, { signal: both, lifetime })[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await gate.through(messages.next());
        if (done) return;
        yield await this.#receive(value);
      }
    } finally {
      await messages.return?.(undefined);
    }
  }

  probe() {
    return this.#parts.gateway.probe();
  }

  close(): void {
    this.#streams.abort("the process ended");
    this.#parts.gateway.close();
  }

  async #travel(
    method: Method,
    { request, failing, options }: {
      request: JsonObject;
      failing: Failing["effect"] | undefined;
      options: CallOptions;
    },
  ): Promise<JsonObject> {
    const { gateway, stall } = this.#parts;
    if (failing === "before") this.#fail();
    await this.#delay();
    if (stall.stalled) {
      // It waits in the server's queue, whether or not somebody still waits for the answer.
      stall.later(() => gateway.call(method, request).catch(() => undefined));
      return await this.#inVain(options.signal);
    }
    if (method === "lease/revoke") this.#parts.revoking(String(request.ID));
    const answer = await gateway.call(method, request, options);
    if (failing === "after") this.#fail();
    await this.#delay();
    return answer;
  }

  async #receive(message: JsonObject): Promise<JsonObject> {
    const { gate, stall } = this.#parts;
    this.underWay++;
    await stall.pass();
    await gate.through(this.#delay());
    this.underWay--;
    return message;
  }

  #fail(): never {
    this.failed();
    throw broken();
  }

  /** Nothing comes back. Throws when that has taken too long, unless the caller gave up before. */
  async #inVain(signal?: AbortSignal): Promise<never> {
    await this.#parts.gate.through(this.#parts.clock.sleep(CALL_TIMEOUT, signal));
    throw broken();
  }

  async #delay(): Promise<void> {
    const { clock, chance } = this.#parts;
    await clock.sleep(DELAYS[chance.random(DELAYS.length)]!);
  }
}

function broken(): FlanError {
  return new FlanError("Cannot reach http://fake:2379: the connection was reset", {
    op: "store.request",
    code: "store",
  });
}
