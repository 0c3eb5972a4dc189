/** A store's URL as it may be shown. */

/**
 * `text` without whatever stands before its last `@` but the scheme: a password may stand there, however the URL is
 * mistyped. Only for messages: an `@` in a path hides what is before it, too.
 */
export function shownUrl(text: string): string {
  const at = text.lastIndexOf("@");
  if (at < 0) return text;
  const scheme = /^[a-z][a-z0-9+.-]*:\/\/?/i.exec(text.slice(0, at))?.[0] ?? "";
  return `${scheme}…${text.slice(at)}`;
}
