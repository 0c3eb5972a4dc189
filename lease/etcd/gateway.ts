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

export interface Gateway {
  /**
   * One call. It is repeated, on the next endpoint, where no answer comes: repeating it must be harmless.
   * Throws {@link EtcdError} for what etcd itself refuses, and a FlanError `store`, `store-reply` or
   * `store-denied` for everything else.
   */
  call(method: Method, request: JsonObject): Promise<JsonObject>;

  /**
   * Opens a watch and yields its messages (the `result` of each line) until `signal` aborts, the server ends it
   * or it has lived for `lifetime` milliseconds; it then ends without an error. A watch whose first message is late, or whose connection breaks,
   * throws as `call` does, and the next one goes to the next endpoint.
   */
  watch(request: JsonObject, options: { signal: AbortSignal; lifetime: number }): AsyncIterable<JsonObject>;

  /** The endpoints, each with what is wrong with it, or undefined where it answers. */
  probe(): Promise<readonly { readonly endpoint: string; readonly error: Error | undefined }[]>;

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
