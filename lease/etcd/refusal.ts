/** What etcd refuses, as errors for people. */
import { FlanError } from "../../net/errors.ts";
import { EtcdError, grpc } from "./gateway.ts";

/** The error as one of flan's: what etcd itself refused is an outage of the store, anything else stays as it is. */
export function explained(error: unknown, op: string): unknown {
  if (!(error instanceof EtcdError)) return error;
  // etcd refuses for other resources, too, such as too many requests at once.
  const isFull = error.code === grpc.resourceExhausted && /space exceeded/.test(error.message);
  return new FlanError(
    isFull
      ? `Cannot write to etcd: it is full (NOSPACE): ${error.message}`
      : `Cannot use etcd: it says ${error.message}`,
    {
      op,
      code: "store",
      cause: error,
      hint: isFull ? "etcdctl compact REVISION; etcdctl defrag; etcdctl alarm disarm" : undefined,
    },
  );
}
