/** Stores by their URL, as the user writes it. */
import { invalid } from "../net/errors.ts";
import { isPrintable, quoted } from "../net/text.ts";
import { DEFAULT_PREFIX } from "./etcd/endpoints.ts";
import { FileStore } from "./file/file_store.ts";
import type { OpenOptions } from "./remote/credentials.ts";
import { shownUrl } from "./remote/shown_url.ts";
import type { Store } from "./store.ts";

const SCHEMES = ["file", "etcd", "etcds", "http", "https"];

/**
 * Opens the store at `url`: `file:PATH`, where PATH ends in `.json`; `etcd://HOST:PORT,…/PREFIX`, `etcds://` for
 * TLS; `http://…` and `https://…`, the place of one JSON document. Touches nothing yet, and loads the modules of no
 * other kind. Throws `invalid` for anything else, with what is probably meant, and for credentials that do not fit.
 */
export async function openStore(
  url: string,
  { clock, log, credentials = {} }: OpenOptions,
): Promise<Store> {
  // A port may follow the name of a host, and never a scheme.
  const scheme = /^([a-z][a-z0-9+.-]*):(?!\d)/i.exec(url)?.[1]?.toLowerCase();
  if (!isPrintable(url) || url.length > 4000) throw bad(url, "it is not printable");
  switch (scheme) {
    case "file":
      return new FileStore(filePath(url), { clock, log });
    case "etcd":
    case "etcds": {
      const { openEtcd } = await import("./etcd/open_etcd.ts");
      return openEtcd(url, { clock, log, credentials });
    }
    case "http":
    case "https": {
      const { openHttp } = await import("./http/open_http.ts");
      return openHttp(url, { clock, log, credentials });
    }
    case undefined:
      throw bad(url, "a scheme is missing", `--store ${probable(shownUrl(url))}`);
  }
  const near = SCHEMES.find((known) => isNear(scheme, known)) ?? "file";
  throw bad(url, `"${scheme}" is not a kind of store, did you mean "${near}"`, `--store ${near}:…`);
}

/** The path of `file:PATH` or `file:///PATH`, which is not percent-decoded. */
function filePath(url: string): string {
  const rest = url.slice("file:".length);
  if (rest.startsWith("//") && !rest.startsWith("///")) throw bad(url, "it names another host");
  const path = rest.replace(/^\/{2,}/, "/");
  // Damaged documents are moved aside; a mistyped path must not do that to just any file.
  if (!/[^/]\.json$/.test(path)) throw bad(url, "the path must end in .json");
  return path;
}

/** What is probably meant by a store without a scheme: `192.0.2.10:2379` is an etcd, anything else a file. */
function probable(text: string): string {
  const [, hosts, prefix = ""] = /^((?:[^/:,]+:\d+,?)+)(\/.*)?$/.exec(text) ?? [];
  if (hosts !== undefined) return `etcd://${hosts}${prefix.length > 1 ? prefix : DEFAULT_PREFIX}`;
  const path = text.startsWith("/") ? text : `/PATH/${text.replace(/^(?:\.{0,2}\/)+/, "")}`;
  return `file:${path.endsWith(".json") ? path : `${path.replace(/\/$/, "")}/network.json`}`;
}

/** Whether two words are at most one insertion, deletion, replacement or swap of neighbours apart. */
function isNear(a: string, b: string): boolean {
  let head = 0;
  while (head < a.length && a[head] === b[head]) head++;
  const x = a.slice(head);
  const y = b.slice(head);
  return x.slice(1) === y || x === y.slice(1) || x.slice(1) === y.slice(1) ||
    x.slice(2) === y.slice(2) && x[0] === y[1] && x[1] === y[0];
}

function bad(url: string, why: string, hint?: string): Error {
  return invalid("store.open", `Cannot open store ${quoted(shownUrl(url))}: ${why}`, hint);
}
