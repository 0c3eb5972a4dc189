/** Times as they stand in stores. */
import type { Json } from "../net/json.ts";

/** The last second of the year 9999. */
const MAX_SECONDS = 253_402_300_799;

/** Whether the value is a time or a duration in whole seconds, up to the year 9999. */
export function isSeconds(value: Json | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SECONDS;
}
