/**
 * How the text of a setting becomes a value. Each parser takes what a flag, an environment variable or a
 * config file gave (text, number, boolean or list) and throws a TypeError that says what is needed; the loader
 * adds where the value stood.
 */
import type { Json } from "../net/json.ts";
import { holdsSecret, isSecretOption } from "../net/secret_option.ts";
import {
  type Family,
  familyOf,
  formatCidr,
  formatIp,
  isHostAddress,
  parseIp,
  parsePrefix,
} from "../net/ip.ts";
import { messageOf } from "../net/errors.ts";
import { parsePlace, placeOf } from "../net/place.ts";
import { didYouMean } from "../net/suggest.ts";

export type Parser<T> = (raw: unknown) => T;

export const text: Parser<string> = (raw) => {
  if (typeof raw === "number") return String(raw);
  if (typeof raw !== "string" || raw === "" || raw.length > 4096) throw new TypeError("text is needed");
  return raw;
};

/** The URL of a store. Whether there is such a kind of store is for `lease/open.ts` to say. */
export const store: Parser<string> = (raw) => {
  const value = text(raw);
  // Every later command must mean the same file, wherever it is typed.
  if (/^file:(?!\/)/i.test(value)) throw new TypeError("an absolute path is needed after file:");
  return value;
};

export const path: Parser<string> = (raw) => {
  const value = text(raw);
  if (!value.startsWith("/") || value.includes("\0")) throw new TypeError("an absolute path is needed");
  return value.length > 1 ? value.replace(/\/+$/, "") : value;
};

/** The address of a host of either family. */
export const hostAddress: Parser<string> = (raw) => {
  const ip = because(() => parseIp(text(raw)));
  if (!isHostAddress(ip)) throw new TypeError("the address of one host is needed");
  return formatIp(ip);
};

/** The address of a host, of one family. */
export function address(family: Family): Parser<string> {
  return (raw) => {
    if (because(() => parseIp(text(raw))).family === family) return hostAddress(raw);
    throw new TypeError(`an IPv${family} address is needed`);
  };
}

/** Any address of the family, also one that no host can have (the first of a subnet). */
export function anyAddress(family: Family): Parser<string> {
  return (raw) => {
    const ip = because(() => parseIp(text(raw)));
    if (ip.family !== family) throw new TypeError(`an IPv${family} address is needed`);
    return formatIp(ip);
  };
}

/** A network of either family; host bits are cleared, as flannel does. */
export const network: Parser<string> = (raw) => formatCidr(because(() => parsePrefix(text(raw))).cidr);

/** The same, of one family. */
export function networkOf(family: Family): Parser<string> {
  return (raw) => {
    const cidr = network(raw);
    if (familyOf(cidr) !== family) throw new TypeError(`an IPv${family} network is needed`);
    return cidr;
  };
}

/** Where to listen, such as `127.0.0.1:8474`. */
export const place: Parser<string> = (raw) => placeOf(parsePlace(text(raw), "127.0.0.1:8474"));

export function integer(min: number, max: number): Parser<number> {
  return (raw) => {
    const value = typeof raw === "string" && /^\d{1,10}$/.test(raw) ? Number(raw) : raw;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw new TypeError(`a whole number from ${min} to ${max} is needed`);
    }
    return value;
  };
}

/** Seconds from `90`, `90s`, `15m`, `24h` or `7d`; at least `min`, at most ten years. */
export function duration(min: number): Parser<number> {
  return (raw) => {
    const match = /^(\d{1,9})(s|m|h|d)?$/.exec(typeof raw === "number" ? String(raw) : text(raw));
    const unit = { s: 1, m: 60, h: 3600, d: 86400 }[match?.[2] ?? "s"] ?? 1;
    const seconds = match ? Number(match[1]) * unit : NaN;
    if (!(seconds >= min && seconds <= 315_360_000)) {
      throw new TypeError(`a duration of at least ${min}s is needed, such as 90s, 15m, 24h or 7d`);
    }
    return seconds;
  };
}

export function oneOf<const T extends string>(...values: readonly T[]): Parser<T> {
  return (raw) => {
    if (values.includes(raw as T)) return raw as T;
    const guess = typeof raw === "string" ? didYouMean(raw, values) : undefined;
    throw new TypeError(`one of ${values.join(", ")} is needed${guess === undefined ? "" : `; ${guess}`}`);
  };
}

export const flag: Parser<boolean> = (raw) => {
  if (raw === true || raw === "true" || raw === "1") return true;
  if (raw === false || raw === "false" || raw === "0") return false;
  throw new TypeError("true or false is needed");
};

/** One or several of something: a list, or text with commas. */
export function list<T>(item: Parser<T>): Parser<readonly T[]> {
  return (raw) => {
    const parts = Array.isArray(raw) ? raw : splitList(text(raw));
    if (parts.length > 64) throw new TypeError("at most 64 values are accepted");
    return parts.map((part) => item(typeof part === "string" ? part.trim() : part));
  };
}

/** The items of a list in one text. A comma of an item's own has a backslash before it, as a regular expression allows. */
export function splitList(text: string): string[] {
  return text.split(/(?<!\\),/).map((part) => part.replaceAll("\\,", ","));
}

/** The text that {@link splitList} takes apart again; none of the items ends with a backslash. */
export function joinList(items: readonly unknown[]): string {
  return items.map((item) => String(item).replaceAll(",", "\\,")).join(",");
}

/** `KEY=VALUE` pairs (a list), or a mapping in a config file; values are read as JSON where they are JSON. */
export const options: Parser<Readonly<Record<string, string | number | boolean>>> = (raw) => {
  const pairs = typeof raw === "object" && raw !== null && !Array.isArray(raw)
    ? Object.entries(raw)
    : list(text)(raw).map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 1) throw new TypeError("KEY=VALUE is needed");
      return [pair.slice(0, equals), scalar(pair.slice(equals + 1))] as const;
    });
  for (const [key, value] of pairs) {
    if (!/^[A-Za-z]{1,40}$/.test(key)) throw new TypeError("a key of letters is needed before the =");
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw new TypeError(`text, a number or true/false is needed for ${key}`);
    }
  }
  return Object.fromEntries(pairs) as Record<string, string | number | boolean>;
};

/** Whether a secret stands among `KEY=VALUE` pairs as they were given, or in a mapping, whatever else is wrong with them. */
export function holdsSecretPair(raw: unknown): boolean {
  if (Array.isArray(raw)) return raw.some(holdsSecretPair);
  if (typeof raw !== "string") return holdsSecret(raw as Json);
  return splitList(raw).some((pair) => {
    const [key = "", value = ""] = pair.split("=");
    return isSecretOption(key.trim()) && value !== "";
  });
}

function scalar(value: string): string | number | boolean {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  return value === "true" ? true : value === "false" ? false : value;
}

/** Lets a parser of `net/` speak: its sentence after the colon is what is wrong. */
function because<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new TypeError(messageOf(error).replace(/^Cannot parse \w+ .*?: /, ""));
  }
}
