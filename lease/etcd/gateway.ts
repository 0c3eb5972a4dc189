/**
 * etcd's v3 JSON gateway, as far as flan speaks it. `client.ts` is the real one, over HTTP; the tests have one in
 * memory. Messages are those of etcd's `rpc.proto`: bytes in base64, 64-bit integers as decimal strings, enums
 * by name, and fields that hold the default left out of answers.
 */
import type { JsonObject } from "../go_json.ts";

/** The unary calls that are used, by their path below `/v3/`. */
export type Method =
  | "kv/range"
  | "kv/txn"
  | "lease/grant"
  | "lease/keepalive"
  | "lease/revoke"
  | "lease/timetolive"
  | "maintenance/alarm"
  | "maintenance/status";

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Called before the request is made again: the one before may have taken effect. */
  readonly repeated?: () => void;
}

export interface Probed {
  readonly endpoint: string;
  /** What is wrong with it, undefined where it answers. */
  readonly error: Error | undefined;
  /** How far its clock is ahead of this host's, as `ServerTime` says it. */
  readonly ahead: number;
}

export interface Gateway {
  /**
   * One call. It is repeated, on the next endpoint, where no answer comes: repeating it must be harmless, also where
   * only the answer was lost. The message comes bare, that of `lease/keepalive` too (which etcd puts into `result`).
   * Nothing below the message itself is judged: fields may be of any type.
   *
   * An endpoint that says nothing is left after 5 s, and after 10 s no further one is asked. The call fails with
   * `store` as soon as `signal` aborts, and when the gateway is closed.
   *
   * Throws {@link EtcdError} for what etcd itself refuses; a FlanError `store` (no answer, also: no leader, time-out
   * within etcd), `store-reply` or `store-denied` for everything else; and `invalid` for credentials that never
   * could be used.
   */
  call(method: Method, request: JsonObject, options?: CallOptions): Promise<JsonObject>;

  /**
   * Opens a watch and yields its messages (the `result` of each line, that with `created` first) until `signal`
   * aborts, the server ends it or it has lived for `lifetime` milliseconds; it then ends without an error. A watch
   * whose first message does not come within 5 s, or whose connection breaks, throws as `call` does, and the next one
   * goes to the next endpoint. A message with `canceled` and a reason that is a gRPC status (permission denied, no
   * leader) is thrown, too; one with `compact_revision` is yielded.
   */
  watch(request: JsonObject, options: { signal: AbortSignal; lifetime: number }): AsyncIterable<JsonObject>;

  /** Asks each endpoint. */
  probe(): Promise<readonly Probed[]>;

  /** Gives up the calls under way. Nothing can be called afterwards. */
  close(): void;
}

/** gRPC's status codes that etcd refuses with and flan acts on (`google.golang.org/grpc/codes`). */
export const grpc = {
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
} as const;

/** A refusal of etcd's own, with its gRPC status code. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}
