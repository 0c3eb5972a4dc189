/** Answers of the document's server that are no document. */
import type { ErrorCode } from "../../net/errors.ts";

/** A cache in between would hide changes. */
export const always = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** An answer that says what is wrong. Without a code it says only that there is nothing yet. */
export function failure(
  status: number,
  error: string,
  code: ErrorCode | undefined,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = `${JSON.stringify({ error, ...(code === undefined ? {} : { code }) })}\n`;
  return new Response(body, {
    status,
    headers: { ...always, ...headers, "content-type": "application/json" },
  });
}
