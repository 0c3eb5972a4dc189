/** Conditional requests (RFC 9110, 13.1) on a document that has strong entity tags. */

/** Whether `If-None-Match` says that the client has this document already. */
export function isKnown(header: string | null, etag: string | undefined): boolean {
  if (header === null || etag === undefined) return false;
  return header.trim() === "*" || tagsOf(header).some((tag) => tag.replace(/^W\//, "") === etag);
}

/**
 * Whether a write may go on; undefined where it has no condition at all. `If-Match` needs the very tag, a weak one
 * never fits; `If-None-Match` fails where the document is there, or is one of those named.
 */
export function mayWrite(headers: Headers, etag: string | undefined): boolean | undefined {
  const [match, noneMatch] = [headers.get("if-match"), headers.get("if-none-match")];
  if (match === null && noneMatch === null) return undefined;
  const matches = match === null ||
    etag !== undefined && (match.trim() === "*" || tagsOf(match).includes(etag));
  return matches && !isKnown(noneMatch, etag);
}

function tagsOf(header: string): string[] {
  return header.split(",").map((tag) => tag.trim());
}

/**
 * For how many seconds the client wants to wait for a change, at most `most`; 0 where it does not say.
 * A query and not RFC 7240's `Prefer`, so that caches see two requests.
 */
export function waitOf(url: URL, most: number): number {
  const text = url.searchParams.get("wait") ?? "";
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text), most) : 0;
}
