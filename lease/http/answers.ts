/** What a server's answers mean to the store over HTTP. */
import { type ErrorCode, FlanError } from "../../net/errors.ts";
import { printable, quoted } from "../../net/text.ts";
import type { Answer } from "../remote/connection.ts";

/** The longest entity tag that is believed; ours have 66 characters. */
const MAX_ETAG = 1000;

/** Codes that `flan store serve` hands on in the body of an error: `{"error":"…","code":"store-damaged"}`. */
const handedOn: readonly ErrorCode[] = ["store", "store-reply", "store-denied", "store-damaged"];

/** What a server tells about an error, if it is one of ours. */
export interface Told {
  readonly error: string;
  readonly code: ErrorCode;
}

export function toldBy(body: string): Told | undefined {
  if (body.length > 10_000) return undefined;
  try {
    const { error, code } = JSON.parse(body) ?? {};
    return typeof error === "string" && handedOn.includes(code) ? { error, code } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The error for an answer that is neither the document nor a lost compare-and-swap. A gateway whose server is
 * away is an outage (RFC 9110, 15.6.3 to 15.6.5); anything else speaks another language than a store.
 */
export function refusalOf(url: string, verb: string, { status, body }: Answer): FlanError {
  const told = toldBy(body);
  // nginx says 400 where a client certificate is missing or another authority's.
  const denied = status === 401 || status === 403 || status === 400 && body.includes("SSL certificate");
  const code = denied
    ? "store-denied"
    : told?.code ?? (status >= 502 && status <= 504 ? "store" : "store-reply");
  const said = told?.error ?? excerpt(body);
  const why = said === "" ? `status ${status}` : `status ${status}, ${printable(said, 300)}`;
  const hint = denied ? "name what the server asks for with --store-token-file or --store-cert" : undefined;
  return new FlanError(`Cannot ${verb} ${url}: ${why}`, { op: `store.${verb}`, code, hint });
}

export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status <= 299;
}

/** Whether the answer's entity tag is only weak: some servers say so of what was written in the same second. */
export function isWeak({ headers }: Answer): boolean {
  return headers.get("etag")?.startsWith("W/") === true;
}

/** The answer's entity tag. Throws `store-reply` where there is none to compare and swap with. */
export function etagOf(url: string, answer: Answer): string {
  const etag = answer.headers.get("etag");
  if (etag === null || isWeak(answer)) {
    const what = etag === null ? "none" : `the weak ${quoted(etag)}`;
    throw noStore(url, `the server does not give ETags that can be swapped against, but ${what}`);
  }
  // RFC 9110, 8.8.3; what is quoted back to the server must not be able to end the header.
  if (etag.length > MAX_ETAG || !/^"[\x21\x23-\x7e]*"$/.test(etag)) {
    throw noStore(url, `its ETag ${quoted(etag)} is none that can be sent back`);
  }
  return etag;
}

/** Something else than a store answers. */
export function noStore(url: string, why: string, hint?: string): FlanError {
  return new FlanError(`Cannot use ${url}: ${why}`, { op: "store.read", code: "store-reply", hint });
}

/** The beginning of a page as a person would read it. */
function excerpt(body: string): string {
  const text = body.slice(0, 2000).replace(/<[^<>]*>/g, " ").replace(/\s+/g, " ").trim();
  return text === "" ? "" : quoted(text, 100);
}
