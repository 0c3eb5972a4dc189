/** What the answers of etcd's gateway mean: a message, a refusal, or something that is no etcd. */
import { FlanError } from "../../net/errors.ts";
import { printable, quoted } from "../../net/text.ts";
import { isObject, type JsonObject } from "../go_json.ts";
import type { Answer } from "../remote/connection.ts";
import { parseBounded } from "../bounded_json.ts";
import { EtcdError } from "./gateway.ts";

/** Whom an answer was for; it stands in the errors. */
export interface Asked {
  /** `http://h1:2379`. */
  readonly origin: string;
  /** What was called, by its path below `/v3/`. */
  readonly method: string;
  readonly user: string | undefined;
  readonly prefix: string;
}

/** etcd itself refuses this host, so any other member of the cluster would as well. */
export class Denied extends FlanError {}

/** The token is not accepted (any more): with a new one the same call may succeed. */
export class TokenRefused extends Denied {}

/** gRPC codes that another member of the cluster, or the same one later, may answer otherwise. */
const passing = new Set([/* cancelled */ 1, /* deadline exceeded */ 4, /* unavailable */ 14]);
const PERMISSION_DENIED = 7;
/** A page of 4096 keys has 60,000 parts; 1000 revisions of a watch, with up to 128 events each, mostly fewer than these. */
const MAX_JSON = { parts: 500_000, depth: 16 };
/** The largest of gRPC's codes, too. */
const UNAUTHENTICATED = 16;

/** gRPC's codes from 0 on, by the names with which Go writes them into the reason of a cancelled watch. */
const codeNames = [
  ...["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"],
  ...[
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
  ],
  ...["Internal", "Unavailable", "DataLoss", "Unauthenticated"],
];

/** The message in the answer to a unary call, or in the one line that a streaming call answers. */
export function messageIn(
  { status, headers, body }: Answer,
  asked: Asked,
): JsonObject {
  const value = parseBounded(body, MAX_JSON)?.value;
  if (isObject(value)) {
    refuse(value, asked);
    if (status === 200) return isObject(value.result) ? value.result : value;
  }
  // The one refusal that the gateway writes as plain text.
  if (status === 400 && body.startsWith("CommonName of client")) throw refusal(0, body.slice(0, 400), asked);
  const type = headers.get("content-type");
  const what = type === null ? "" : ` with ${printable(type, 60)}`;
  const said = `it answers ${status}${what} ${excerpt(body)}`;
  // What stands before an etcd that is away says so with these (RFC 9110, 15.6.3 to 15.6.5).
  if (status >= 502 && status <= 504) throw trouble("store", asked, said);
  throw trouble("store-reply", asked, `it is not an etcd of version 3.4 or later: ${said}`);
}

/** The message in a line of a watch. */
export function messageInLine(line: string, asked: Asked): JsonObject {
  const value = parseBounded(line, MAX_JSON)?.value;
  if (isObject(value)) {
    refuse(value, asked);
    if (isObject(value.result)) {
      refuseCancelled(value.result, asked);
      return value.result;
    }
  }
  throw trouble("store-reply", asked, `a line of its watch is none of etcd's: ${excerpt(line)}`);
}

export function trouble(
  code: "store" | "store-reply",
  { origin, method }: Asked,
  why: string,
): FlanError {
  const message = `Cannot ${code === "store" ? "reach" : "use"} ${origin}: ${why}`;
  return new FlanError(message, { op: `store.${method}`, code });
}

/** Throws for `{error, message, code}` (unary) and `{error: {grpc_code, message}}` (a stream). */
function refuse(value: JsonObject, asked: Asked): void {
  const inner = isObject(value.error) ? value.error : value;
  const code = inner.grpc_code ?? inner.code;
  const message = inner.message ?? inner.error;
  // Other services have errors of this form too, with codes of their own.
  if (typeof code === "number" && code >= 1 && code <= UNAUTHENTICATED && typeof message === "string") {
    throw refusal(code, message, asked);
  }
}

/** A watch that may not be, or whose member has no leader, is cancelled with the reason as text. */
function refuseCancelled(result: JsonObject, asked: Asked): void {
  const reason = result.canceled === true ? result.cancel_reason : undefined;
  if (typeof reason !== "string" || reason === "") return;
  const [, name = "", text = ""] = /^rpc error: code = (\w+) desc = (.*)$/s.exec(reason) ?? [];
  const code = codeNames.indexOf(name);
  if (code > 0) throw refusal(code, text, asked);
}

/** The texts are those of etcd's `rpctypes/error.go`. */
function refusal(code: number, message: string, asked: Asked): Error {
  const text = message.replace(/^etcdserver: /, "");
  if (passing.has(code)) return trouble("store", asked, `etcd says ${quoted(text, 200)}`);
  return denial(code, text, asked) ?? new EtcdError(printable(text, 300), code);
}

function denial(code: number, text: string, { origin, user, prefix, method }: Asked): Denied | undefined {
  const denied = (Kind: typeof Denied, why: string, hint?: string) =>
    new Kind(`Cannot use ${origin}: ${why}`, { op: `store.${method}`, code: "store-denied", hint });
  if (code === PERMISSION_DENIED) {
    const who = user === undefined ? "this host" : `user ${quoted(user)}`;
    const hint = `etcdctl role grant-permission ROLE readwrite ${prefix}/ --prefix=true`;
    return denied(Denied, `etcd denies ${who} permission for ${method} below ${prefix}`, hint);
  }
  if (/authentication failed, invalid user ID or password/.test(text)) {
    const hint = "the password is all of --store-password-file but the end of its line";
    return denied(Denied, `wrong password for user ${quoted(user)}, or no such user`, hint);
  }
  if (/CommonName of client sending a request against gateway/.test(text)) {
    const hint = "name a certificate with --store-cert whose subject has no CN, such as /O=flan";
    return denied(Denied, "while its auth is on, etcd's gateway takes no client certificate with a CN", hint);
  }
  if (code !== UNAUTHENTICATED && !/invalid auth token|user name is empty|auth store is old/.test(text)) {
    return undefined;
  }
  return user === undefined
    ? denied(TokenRefused, "it wants a user and a password", "--store-user NAME --store-password-file FILE")
    : denied(TokenRefused, `it does not accept the token that it gave: ${quoted(text, 200)}`);
}

/** The beginning of what came, on one line. */
function excerpt(text: string): string {
  const short = text.slice(0, 400).replace(/\s+/g, " ").trim();
  return short === "" ? "and nothing more" : quoted(short, 80);
}
