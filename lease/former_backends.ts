/**
 * The backends that a network had before, in its config under a key of flan's own that flanneld ignores: hosts that join
 * while others have not moved yet learn from it how those are reached. Pure.
 */
import type { Json } from "../net/json.ts";
import { isObject, type JsonObject } from "./go_json.ts";

export const FORMER_BACKENDS = "FormerBackends";

/** A network that is changed again and again has no more that anybody may still be on. */
const MOST = 3;

/** The latest first. What is odd in it is left out: it must keep nobody from the network. */
export function readFormerBackends(value: Json | undefined): readonly JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST).filter(isObject);
}

/** The config `after` with what it needs of the one before it, of which `former` are the backends that hosts may be on. */
export function withFormerBackends(after: Json, former: readonly Json[]): Json {
  if (!isObject(after)) return after;
  // In whatever case, as it is read.
  const rest = Object.fromEntries(
    Object.entries(after).filter(([key]) => key.toLowerCase() !== FORMER_BACKENDS.toLowerCase()),
  );
  return former.length === 0 ? rest : { ...rest, [FORMER_BACKENDS]: former.slice(0, MOST) };
}
