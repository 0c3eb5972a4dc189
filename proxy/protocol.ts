/**
 * What is said over the proxy's control socket, `proxy.sock` in the run directory: one request a connection, one line of
 * JSON each way. All addresses that a proxy is told are of one family, which is the one that it carries. Fields are only added: what is not known is ignored, so that versions can be mixed.
 */
import { MAX_QUEUES, type ProxySettings, type ProxyWay } from "../kernel/state.ts";
import { invalid } from "../net/errors.ts";
import { type Family, isHostAddress, isLinkLocal, parseCidr, parseIp } from "../net/ip.ts";
import { check, v } from "../net/schema.ts";
import { quoted } from "../net/text.ts";

/** What a proxy is told to be. */
export type Settings = ProxySettings;

export type Way = ProxyWay;

/** A request with a million routes has some 45 MB. */
export const MAX_REQUEST = 64 << 20;
/** FLAN_MAX_ROUTES in `ffi/proxy/flan_proxy.h`. */
export const MAX_ROUTES = 1 << 20;

const settings = v.object({
  // IFNAMSIZ is 16 with the NUL that ends it; the kernel takes no slash and no space (dev_valid_name).
  link: v.pipe(v.string(), v.regex(/^[^\s/:]{1,15}$/)),
  address: v.string(),
  port: integer(1, 65535),
  subnet: v.string(),
  source: v.string(),
  checkSource: v.optional(v.boolean(), true),
  queues: v.optional(integer(1, MAX_QUEUES), 1),
});

const routes = v.optional(v.pipe(v.array(v.unknown()), v.maxLength(MAX_ROUTES)), []);
const name = v.pipe(v.string(), v.maxLength(64));

const request = v.variant("op", [
  v.object({ op: v.literal("show") }),
  v.object({ op: v.literal("configure"), proxy: settings }),
  // With a link: only where the proxy is that link's.
  v.object({ op: v.literal("change"), link: v.optional(name), put: routes, remove: routes }),
  v.object({ op: v.literal("counters") }),
  v.object({ op: v.literal("follow"), generation: v.number() }),
  v.object({ op: v.literal("stop"), link: v.optional(name) }),
]);

export type Request = v.InferOutput<typeof request>;

/** The request in a line of JSON; the routes in it are not looked at. Throws `invalid`. */
export function parseRequest(line: unknown): Request {
  const parsed = check(request, line, "the request");
  if (parsed.op === "configure") checkSettings(parsed.proxy);
  return parsed;
}

function checkSettings({ address, source, subnet }: Settings): void {
  const { family } = parseIp(address);
  hostAddress(address, family);
  if (parseIp(source).family !== family) {
    throw invalid("proxy", `Cannot use source ${quoted(source)}: it is not IPv${family}`);
  }
  destinationOf(subnet, family);
}

/** A route as it came, of the family that is carried. Throws `invalid`. */
export function parseWay(value: unknown, family: Family): Way {
  if (!Array.isArray(value) || value.length < 3) {
    throw badRoute(value, "destination, address and port are needed");
  }
  const [destination, remote, port] = value as unknown[];
  destinationOf(destination, family);
  hostAddress(remote, family);
  if (!Number.isInteger(port) || Number(port) < 1 || Number(port) > 65535) {
    throw badRoute(value, "the port must be 1 to 65535");
  }
  return [destination as string, remote as string, port as number];
}

/** A destination as it came: a prefix without host bits. Throws `invalid`. */
export function destinationOf(value: unknown, family: Family): string {
  if (typeof value !== "string") throw badRoute(value, "a destination is needed");
  if (parseCidr(value).family !== family) throw badRoute(value, `the destination is not IPv${family}`);
  return value;
}

function hostAddress(value: unknown, family: Family): void {
  if (typeof value !== "string") throw badRoute(value, "an address is needed");
  const ip = parseIp(value);
  if (ip.family !== family || !isHostAddress(ip)) {
    throw badRoute(value, `it is no IPv${family} address that a host can have`);
  }
  // Which link is meant nobody has said.
  if (family === 6 && isLinkLocal(ip)) throw badRoute(value, "it is link-local");
}

function badRoute(value: unknown, why: string): Error {
  return invalid("proxy", `Cannot use ${quoted(value)}: ${why}`);
}

function integer(min: number, max: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
}
