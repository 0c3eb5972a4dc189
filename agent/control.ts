/**
 * The control sockets in the run directory. Over `agent.sock`, root's and its group's, `stop` ends the agent, `repair`
 * lets it look now for what it does anyway, and the others change nothing. Over `status.sock` every user may ask for
 * the status, and for nothing else.
 */
import { ask } from "../control/ask.ts";
import { serve, type Service } from "../control/serve.ts";
import type { Clock } from "../net/clock.ts";
import type { Json } from "../net/json.ts";
import { check, v } from "../net/schema.ts";

const request = v.strictObject({
  op: v.picklist(["status", "network", "lingering", "repair", "stop", "ping"]),
  /** Whom to ping, as somebody calls it; everybody where it is left out. */
  to: v.optional(v.pipe(v.string(), v.maxLength(100))),
});

export type Request = v.InferOutput<typeof request>;

/** Requests are tiny. */
const MAX_REQUEST = 1024;
const PATIENCE_MS = 10_000;

/** Serves the socket until `signal` aborts; see {@link serve}. */
export function serveControl(
  path: string,
  options: Pick<Service<Request>, "clock" | "log" | "signal"> & {
    answer: (request: Request) => Promise<Json>;
  },
): Promise<void> {
  const parse = (line: unknown) => check(request, line, "the request");
  return serve(path, { ...options, maxRequest: MAX_REQUEST, parse });
}

/** What every user may ask for. */
const publicRequest = v.strictObject({ op: v.literal("status") });

/** Users who share a host may keep one another waiting, but nobody at the other socket. */
const MAX_STRANGERS = 16;

/** Serves the status to every user until `signal` aborts; see {@link serve}. */
export function serveStatus(
  path: string,
  options: Pick<Service<unknown>, "clock" | "log" | "signal"> & { answer: () => Promise<Json> },
): Promise<void> {
  const parse = (line: unknown) => check(publicRequest, line, "the request");
  return serve(path, {
    ...options,
    maxRequest: MAX_REQUEST,
    parse,
    mode: 0o666,
    maxClients: MAX_STRANGERS,
  });
}

/**
 * Asks the agent behind `path`. Resolves to undefined where none listens, to null for what one does not know yet that
 * is still joining. Throws as {@link ask} does, after `within` milliseconds where it does not answer.
 */
export function askAgent(
  path: string,
  { op, to, clock, within = PATIENCE_MS }: Request & { clock: Clock; within?: number },
): Promise<Json | undefined> {
  const request = { op, ...(to === undefined ? {} : { to }) };
  return ask(path, { request, who: "the agent", clock, within });
}
