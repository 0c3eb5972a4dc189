/** Where a TCP server listens: an IP address and a port, as `127.0.0.1:9100` or `[::1]:9100`. */
import { messageOf } from "./errors.ts";
import { parseIp } from "./ip.ts";

export interface Place {
  /** Without brackets. */
  readonly hostname: string;
  /** 0 to 65535; 0 is any free one. */
  readonly port: number;
}

/** Reads `127.0.0.1:4380` or `[::1]:4380`. Throws TypeError that says what is needed; `example` is one that would do. */
export function parsePlace(text: string, example: string): Place {
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  if (digits === undefined) throw new TypeError(`an address and a port are needed, such as ${example}`);
  const port = Number(digits);
  if (port > 65535) throw new TypeError("the port must be at most 65535");
  const hostname = (six ?? four)!;
  if (familyOf(hostname) !== (six === undefined ? 4 : 6)) {
    throw new TypeError("an IPv6 address stands in brackets");
  }
  return { hostname, port };
}

/** The reverse of {@link parsePlace}. */
export function placeOf({ hostname, port }: Place): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

function familyOf(hostname: string): number {
  try {
    return parseIp(hostname).family;
  } catch (error) {
    throw new TypeError(messageOf(error));
  }
}
