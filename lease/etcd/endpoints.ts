/** The URL of an etcd store: `etcd://h1:2379,h2:2379/coreos.com/network`. */
import { invalid, messageOf } from "../../net/errors.ts";
import { formatIp, parseIp } from "../../net/ip.ts";
import { printable, quoted } from "../../net/text.ts";
import { shownUrl } from "../remote/shown_url.ts";

export interface EtcdUrl {
  /** In one spelling: scheme and hosts in small letters, all ports written, prefix cleaned. */
  readonly url: string;
  readonly tls: boolean;
  /** `http://h1:2379`, `https://[::1]:2379`: 1 to 16 of them, none twice. */
  readonly origins: readonly string[];
  /** Without a slash at its end: `/coreos.com/network`. */
  readonly prefix: string;
}

/** flannel's `--etcd-prefix`, if it is not given. */
export const DEFAULT_PREFIX = "/coreos.com/network";
/** etcd's port for clients (IANA). */
const DEFAULT_PORT = 2379;
const MAX_ENDPOINTS = 16;
const MAX_PREFIX = 1000;

/** Throws `invalid` with what is wrong with the URL. */
export function parseEtcdUrl(text: string): EtcdUrl {
  const match = /^(etcds?):(?:\/\/([^/?#]*)([^?#]*)(.*))?$/i.exec(text);
  const [, scheme = "etcd", authority, path = "", rest = ""] = match ?? [];
  if (authority === undefined) throw bad(text, "// and a host are missing", `--store ${EXAMPLE}`);
  // Also where it seems to stand in the prefix: a password may hold a slash, and no message should show its parts.
  if (text.includes("@")) {
    const hint = "--store-user NAME --store-password-file FILE";
    throw bad(text, "a user or password does not belong in it", hint);
  }
  if (rest.startsWith("?")) throw bad(text, "it has a query");
  if (rest.startsWith("#")) throw bad(text, "it has a fragment");
  const within = /[a-z]+:\/\//i.exec(text.slice(text.indexOf("//") + 2))?.[0];
  if (within !== undefined) {
    throw bad(
      text,
      `it holds a second ${quoted(within)}: the hosts stand bare, after one ${scheme}://`,
      `--store ${EXAMPLE}`,
    );
  }
  const hosts = authority.split(",");
  if (hosts.length > MAX_ENDPOINTS) {
    throw bad(text, `it names ${hosts.length} endpoints, ${MAX_ENDPOINTS} at most are used`);
  }
  const endpoints = hosts.map((host) => endpointOf(text, host));
  const twice = endpoints.find((endpoint, i) => endpoints.indexOf(endpoint) < i);
  if (twice !== undefined) throw bad(text, `it names ${twice} twice`);
  const prefix = prefixOf(text, path);
  const tls = scheme.toLowerCase() === "etcds";
  return {
    url: `${scheme.toLowerCase()}://${endpoints.join(",")}${prefix}`,
    tls,
    origins: endpoints.map((endpoint) => `${tls ? "https" : "http"}://${endpoint}`),
    prefix,
  };
}

/** `h1:2379` from `H1`. */
function endpointOf(url: string, text: string): string {
  const shown = quoted(text);
  if (text === "") throw bad(url, "a host is empty", `--store ${EXAMPLE}`);
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::([^:]*))?$/.exec(text);
  if (match === null) {
    const isIp = text.split(":").length > 2;
    throw bad(
      url,
      `${shown} is not HOST:PORT`,
      isIp ? "an IPv6 address stands in brackets: [::1]:2379" : undefined,
    );
  }
  const [, host = "", port = String(DEFAULT_PORT)] = match;
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65535) {
    throw bad(url, `${quoted(port)} is not a port from 1 to 65535`);
  }
  return `${hostOf(url, host)}:${port}`;
}

function hostOf(url: string, text: string): string {
  const inBrackets = text.startsWith("[");
  // The last label of a name is not a number (RFC 1123, 2.1), so this is meant as an address.
  if (inBrackets || /(?:^|\.)\d+$/.test(text)) {
    try {
      const ip = parseIp(inBrackets ? text.slice(1, -1) : text);
      if ((ip.family === 6) !== inBrackets) throw new Error("only IPv6 stands in brackets");
      return inBrackets ? `[${formatIp(ip)}]` : formatIp(ip);
    } catch (error) {
      throw bad(url, messageOf(error));
    }
  }
  const name = text.toLowerCase();
  const labels = name.replace(/\.$/, "").split(".");
  // Names with an underscore are not for hosts, but container networks give them.
  if (
    name.length > 253 || !labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  ) {
    throw bad(url, text === "" ? "a host is empty" : `${quoted(text)} is not the name of a host`);
  }
  return name;
}

/** As flannel's prefix by Go's `path.Clean`: `//a//b/` is `/a/b`. */
function prefixOf(url: string, path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  const odd = parts.find((part) => part === "." || part === "..");
  if (odd !== undefined) throw bad(url, `its prefix has the part ${quoted(odd)}`);
  if (/[%\s]/.test(path)) throw bad(url, "its prefix has a space or %, which are not decoded");
  if (path.length > MAX_PREFIX) throw bad(url, `its prefix is longer than ${MAX_PREFIX} characters`);
  return parts.length === 0 ? DEFAULT_PREFIX : `/${parts.join("/")}`;
}

const EXAMPLE = "etcd://h1:2379,h2:2379/coreos.com/network";

function bad(url: string, why: string, hint?: string): Error {
  return invalid(
    "store.open",
    `Cannot open store ${quoted(shownUrl(url), 200)}: ${printable(why, 300)}`,
    hint,
  );
}
