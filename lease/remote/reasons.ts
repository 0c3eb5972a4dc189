/**
 * Why a request had no answer, in words for a person: what Deno's `fetch` (reqwest, hyper and rustls below it) says
 * is long, repeats the URL and names its own layers. Anything unknown is shown as it is.
 */
import { type ErrorCode, messageOf } from "../../net/errors.ts";
import { printable } from "../../net/text.ts";
import type { Credentials } from "./credentials.ts";

export interface Reason {
  readonly code: Extract<ErrorCode, "store" | "store-reply" | "store-denied" | "invalid">;
  /** Goes on after `Cannot reach https://h1:2379: `. */
  readonly why: string;
  readonly hint?: string | undefined;
}

/** What the sentence may depend on beside the error. */
export interface Situation {
  readonly origin: string;
  readonly credentials: Credentials;
}

type Explain = (match: RegExpExecArray, situation: Situation) => Reason;

const away = (why: string, hint?: string): Reason => ({ code: "store", why, hint });
const strange = (why: string, hint?: string): Reason => ({ code: "store-reply", why, hint });
const denied = (why: string, hint?: string): Reason => ({ code: "store-denied", why, hint });

/** The first that fits is taken. */
const reasons: readonly [RegExp, Explain][] = [
  [/Requests to port (\d+) are blocked/, ([, port]) => ({
    code: "invalid",
    why: `port ${port} belongs to another service, HTTP never goes there`,
  })],
  [/dns error: (?:.*: )?(.+)$/, ([, why]) => away(`its name cannot be resolved (${lower(why!)})`)],
  [/invalid peer certificate: UnknownIssuer/, (_, { credentials: { ca } }) =>
    ca === undefined
      ? denied(
        "its certificate is from an authority that is not trusted here",
        "name the authority's own certificate with --store-ca",
      )
      : denied(`its certificate is not from the authority in ${ca}`, "name its authority with --store-ca")],
  [/invalid peer certificate: Expired/, () => denied("its certificate has expired", CLOCK)],
  [/invalid peer certificate: NotValidYet/, () => denied("its certificate is not valid yet", CLOCK)],
  [
    /certificate not valid for name "(.*?)"; certificate is (?:only )?valid for (.*)$/,
    ([, asked, names]) =>
      denied(
        `its certificate is for ${names!.replace(/\w+\("?([^")]*)"?\)/g, "$1")}, not for ${asked}`,
        "write the host in --store as its certificate names it",
      ),
  ],
  [
    /invalid peer certificate: CaUsedAsEndEntity/,
    () =>
      denied("its certificate is that of an authority, which no server may show (basicConstraints CA:TRUE)"),
  ],
  [/invalid peer certificate: (.+)$/, ([, why]) => denied(`its certificate cannot be used (${why})`)],
  [
    /fatal alert: (\w*Certificate\w*|UnknownCA|AccessDenied)/,
    ([, alert], { credentials: { cert } }) =>
      cert === undefined
        ? denied(
          `it wants a certificate of this host (${alert})`,
          "name one with --store-cert and --store-key",
        )
        : denied(
          `it refuses this host's certificate ${cert} (${alert})`,
          "one is needed that has not expired, from an authority that the server trusts",
        ),
  ],
  [/fatal alert: (\w+)/, ([, alert]) => denied(`it refuses TLS as this host speaks it (${alert})`)],
  [/InvalidContentType/, () => strange("it does not speak TLS", WITHOUT_TLS)],
  [/tls handshake eof/, () => away("it hangs up when TLS begins", WITHOUT_TLS)],
  // A port without TLS may also say it so, depending on which of its packets comes first.
  [
    /Connection reset by peer|Broken pipe/,
    (_, at) => away("it broke the connection off", overTls(at) ?? WITHOUT_TLS),
  ],
  [/invalid HTTP version parsed/, (_, at) => strange("its answer is not HTTP", overTls(at))],
  [/connection closed before message/, (_, at) => away("it hung up without an answer", overTls(at))],
  [/message head is too large/, () => strange("the head of its answer is too large")],
  [
    /client error \(SendRequest\): (invalid .+?)(?: parsed)?$/,
    ([, why]) => strange(`its answer is not HTTP (${why})`),
  ],
  [/error reading a body/, () => away("its answer broke off")],
  [/(?:^|: )([^:]+) \(os error \d+\)/, ([, why]) => away(lower(why!))],
  [/has been aborted/, () => away("the request was given up")],
];

const CLOCK = "date shows this host's clock, which may be wrong too";
const WITHOUT_TLS = "if it serves without TLS, --store begins with etcd: or http:";

function overTls({ origin }: Situation): string | undefined {
  return origin.startsWith("http:")
    ? "if it serves over TLS, --store begins with etcds: or https:"
    : undefined;
}

/** The reason in what `fetch`, or reading the body that it gave, has thrown. */
export function reasonOf(error: unknown, situation: Situation): Reason {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  // A server chooses the names in its certificate.
  const text = printable(messageOf(inner), 500);
  for (const [pattern, explain] of reasons) {
    const match = pattern.exec(text);
    if (match !== null) return explain(match, situation);
  }
  return away(text.replace(/^error sending request .*?client error \(\w+\): /, ""));
}

function lower(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
