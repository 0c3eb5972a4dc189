/** What peers announce of themselves beside their address: a JSON object of anybody's making. */
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";
import { Refused } from "./peers.ts";

/** BackendData as an object, or why it is none. */
export function dataObject(data: Json | undefined): object | Refused {
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return data;
  return badData(`BackendData is ${quoted(data ?? null)}, not an object`);
}

/** The field under its own name, or else under one that differs in case, as Go reads it. */
export function dataField(data: object, name: string): unknown {
  const own = Object.getOwnPropertyDescriptor(data, name);
  if (own) return own.value;
  const wanted = name.toLowerCase();
  return Object.entries(data).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

export function badData(reason: string): Refused {
  return new Refused("bad-backend-data", reason);
}
