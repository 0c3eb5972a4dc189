/** What a remote store's client tells while it goes on trying. */
import { FlanError } from "../../net/errors.ts";

/**
 * The error as trouble of the store, which may pass: a token, password or certificate that cannot be used now
 * (`invalid`) may be one that is just being replaced, and becomes `store-denied`.
 */
export function asStoreTrouble(error: FlanError): FlanError {
  if (error.code !== "invalid") return error;
  const { message, op, hint } = error;
  return new FlanError(message, { op, code: "store-denied", hint, cause: error });
}
