/** Transactions on etcd's keys: what one did, or what it found instead. */
import { FlanError } from "../../net/errors.ts";
import type { JsonObject } from "../go_json.ts";
import { headerOf, type KeyValue, keyValueOf, object, objects } from "./fields.ts";
import { EtcdError, type Gateway, grpc } from "./gateway.ts";

export interface Transaction {
  /** Without any it always succeeds. */
  readonly compare?: readonly JsonObject[];
  readonly success: readonly JsonObject[];
  readonly failure?: readonly JsonObject[];
}

export interface Outcome {
  readonly succeeded: boolean;
  /** Of the whole store, after it. */
  readonly revision: number;
  /** What the reads among the operations that were done have found, one for each. */
  readonly found: readonly (KeyValue | undefined)[];
  /** Whether it was asked for more than once: where it failed, the time before may have succeeded. */
  readonly isRepeated: boolean;
}

/** Throws what the gateway throws, and `conflict` where a lease that a key is to be attached to is over. */
export async function transact(
  gateway: Gateway,
  { compare = [], success, failure = [] }: Transaction,
): Promise<Outcome> {
  let isRepeated = false;
  const answer = await attached(gateway.call("kv/txn", { compare, success, failure }, {
    repeated: () => isRepeated = true,
  }));
  const succeeded = answer.succeeded === true;
  const responses = objects(answer.responses, "the responses");
  const found = (succeeded ? success : failure).flatMap(({ request_range }, i) =>
    request_range === undefined ? [] : [foundIn(responses[i])]
  );
  return { succeeded, revision: headerOf(answer).revision, found, isRepeated };
}

async function attached(answer: Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof EtcdError) || error.code !== grpc.notFound) throw error;
    // The etcd lease was over before the transaction came: whoever paused so long must look again.
    throw new FlanError("Cannot write to etcd: the lease ran out meanwhile", {
      op: "store.write",
      code: "conflict",
      cause: error,
    });
  }
}

function foundIn(response: JsonObject | undefined): KeyValue | undefined {
  const { kvs } = object(response?.response_range, "the response to a read");
  const [kv] = objects(kvs, "the keys");
  return kv === undefined ? undefined : keyValueOf(kv);
}
