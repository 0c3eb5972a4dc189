/** etcd's JSON gateway over HTTP: several endpoints, of which one is used until it fails. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, isStoreTrouble } from "../../net/errors.ts";
import type { JsonObject } from "../go_json.ts";
import type { Credentials } from "../remote/credentials.ts";
import type { CallOptions, Gateway, Method, Probed } from "./gateway.ts";
import { Member, type WatchLimits } from "./member.ts";
import { Denied } from "./replies.ts";

/** Milliseconds after which no further endpoint is asked: a command, or the end of an agent, waits for a call. */
const PATIENCE = 10_000;

export interface EtcdClientOptions {
  /** `http://h1:2379`, at least one. */
  readonly origins: readonly string[];
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Below which the keys lie; it stands in hints. */
  readonly prefix: string;
}

export class EtcdClient implements Gateway {
  readonly #members: readonly Member[];
  readonly #clock: Clock;
  /** Index of the one in use. */
  #current = 0;
  #closed = false;

  constructor({ origins, credentials, clock, prefix }: EtcdClientOptions) {
    this.#clock = clock;
    this.#members = origins.map((origin) => new Member(origin, { credentials, clock, prefix }));
  }

  async call(
    method: Method,
    request: JsonObject,
    { signal, repeated }: CallOptions = {},
  ): Promise<JsonObject> {
    const failures: FlanError[] = [];
    const [first, began] = [this.#current, this.#clock.monotonic()];
    for (let i = 0; i < this.#members.length && this.#clock.monotonic() - began < PATIENCE; i++) {
      const at = (first + i) % this.#members.length;
      try {
        if (i > 0) repeated?.();
        const answer = await this.#members[at]!.call(method, request, signal);
        this.#current = at;
        return answer;
      } catch (error) {
        if (!isStoreTrouble(error) || error instanceof Denied) throw error;
        if (this.#closed || signal?.aborted) throw error;
        failures.push(error);
        this.#leave(at);
      }
    }
    throw this.#allFailed(failures);
  }

  async *watch(request: JsonObject, limits: WatchLimits): AsyncGenerator<JsonObject> {
    const at = this.#current;
    try {
      yield* this.#members[at]!.watch(request, limits);
    } catch (error) {
      if (isStoreTrouble(error)) this.#leave(at);
      throw error;
    }
  }

  async probe(): Promise<readonly Probed[]> {
    return await Promise.all(this.#members.map(async (member) => {
      const error = await member.call("maintenance/status", {}).then(
        () => undefined,
        (error: Error) => error,
      );
      return { endpoint: member.origin, error, ahead: member.ahead };
    }));
  }

  close(): void {
    this.#closed = true;
    for (const member of this.#members) member.close();
  }

  /** The next call begins elsewhere, unless another has found a better one meanwhile. */
  #leave(at: number): void {
    if (this.#current === at) this.#current = (at + 1) % this.#members.length;
  }

  /** A refusal says more than an endpoint that is away, so its code is the one that is told. */
  #allFailed(failures: readonly FlanError[]): FlanError {
    const worst = failures.find((error) => error.code !== "store") ?? failures[0]!;
    if (failures.length === 1) return worst;
    const places = new Map<string, string[]>();
    for (const { message } of failures) {
      const [, origin, why] = /^Cannot \w+ (\S+): (.*)$/s.exec(message) ?? [undefined, "", message];
      places.set(why!, [...places.get(why!) ?? [], origin!]);
    }
    const all = [...places].map(([why, origins]) => `${origins.join(", ")}: ${why}`).join("; ");
    const [asked, known] = [failures.length, this.#members.length];
    const which = asked === known ? `any of ${known}` : `${asked} of ${known}`;
    const rest = asked === known ? "" : `; no time was left for the others`;
    return new FlanError(`Cannot use ${which} etcd endpoints: ${all}${rest}`, {
      op: worst.op,
      code: worst.code,
      cause: worst,
      hint: worst.hint,
    });
  }
}
