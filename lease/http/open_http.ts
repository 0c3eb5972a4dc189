/** The store over HTTP by its URL. */
import { invalid } from "../../net/errors.ts";
import { printable, quoted } from "../../net/text.ts";
import type { Credentials, OpenOptions } from "../remote/credentials.ts";
import { shownUrl } from "../remote/shown_url.ts";
import type { Store } from "../store.ts";
import { HttpDocument } from "./http_document.ts";
import { HttpStore } from "./http_store.ts";

/**
 * Opens `http://host:4380/network.json`, or the same with `https`; sends nothing yet. Throws `invalid` for a URL
 * that is no document's place, and for credentials that do not fit.
 */
export function openHttp(text: string, { clock, log, credentials }: Required<OpenOptions>): Store {
  const url = documentUrl(text);
  requireFitting(url, credentials);
  return new HttpStore(new HttpDocument(url, { clock, credentials }), { clock, log });
}

function documentUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw bad(text, "it is not a URL", "--store http://HOST:4380/network.json");
  }
  if (url.username !== "" || url.password !== "") {
    throw bad(text, "a user or password does not belong in it", "put a token into a --store-token-file");
  }
  const bare = `--store ${url.origin}${printable(url.pathname)}`;
  if (text.includes("#")) throw bad(text, "it names a part of a document", bare);
  if (text.includes("?")) throw bad(text, "it has a query", bare);
  if (url.pathname.endsWith("/")) {
    throw bad(text, "it names no document", `--store ${url.origin}${printable(url.pathname)}network.json`);
  }
  return url;
}

function requireFitting(url: URL, { ca, cert, key, user, passwordFile }: Credentials): void {
  const shown = url.href;
  if (user !== undefined || passwordFile !== undefined) {
    const what = user === undefined ? "--store-password-file" : "--store-user";
    throw bad(shown, `${what} is for etcd`, "put a token into a --store-token-file");
  }
  const tls = Object.entries({ "--store-ca": ca, "--store-cert": cert, "--store-key": key })
    .filter(([, path]) => path !== undefined).map(([name]) => name);
  if (url.protocol === "http:" && tls.length > 0) {
    throw bad(shown, `${tls.join(" and ")} need TLS`, `--store https:${shown.slice("http:".length)}`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw bad(shown, "--store-cert and --store-key go together");
  }
}

function bad(url: string, why: string, hint?: string): Error {
  return invalid("store.open", `Cannot open store ${quoted(shownUrl(url), 400)}: ${why}`, hint);
}
