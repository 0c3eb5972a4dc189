/**
 * JSON objects read the way Go's encoding/json reads them into a struct, because flannel does: field names
 * match without regard to case, and of two that match one field the later wins.
 */
import type { Json } from "../net/json.ts";

export type JsonObject = { readonly [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The names of a struct's fields, ready for {@link goFields}. */
export function fieldNames<const Name extends string>(...names: Name[]): ReadonlyMap<string, Name> {
  return new Map(names.flatMap((name) => [[name, name], [fold(name), name]]));
}

/**
 * The fields of an object under their proper names, and the keys that spell none of them, as written.
 * `__proto__` is a key like any other.
 */
export function goFields<Name extends string>(
  object: JsonObject,
  names: ReadonlyMap<string, Name>,
): { fields: { [name in Name]?: Json }; others: string[] } {
  const fields: { [name in Name]?: Json } = {};
  const others: string[] = [];
  for (const key of Object.keys(object)) {
    const name = names.get(key) ?? names.get(fold(key));
    if (name === undefined) others.push(key);
    else fields[name] = object[key]!;
  }
  return { fields, others };
}

/** Go compares field names under Unicode simple folding, in which the long s is an s. */
function fold(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes("ſ") ? lower.replaceAll("ſ", "s") : lower;
}

/**
 * Whether the value's JSON text is at most `limit` characters (escapes counted as one) and nested at most
 * `depth` deep. Stops as soon as the answer is no, so that a hostile value costs no more than an honest one.
 */
export function isBounded(value: Json, { limit, depth }: { limit: number; depth: number }): boolean {
  return spend(value, limit, depth) >= 0;
}

/** What remains of the budget after `value`; negative when it does not suffice. */
function spend(value: Json, budget: number, depth: number): number {
  if (typeof value === "string") return budget - value.length - 2;
  if (typeof value !== "object" || value === null) return budget - String(value).length;
  if (depth === 0) return -1;
  let rest = budget - 2;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) {
      rest = spend(item, rest - 1, depth - 1);
      if (rest < 0) return rest;
    }
    return rest;
  }
  const object = value as JsonObject;
  for (const key in object) {
    rest = spend(object[key]!, rest - key.length - 4, depth - 1);
    if (rest < 0) return rest;
  }
  return rest;
}
