/** Whom a running agent keeps although their lease is gone, told to the other commands on its host. */
import type { LeaseRecord } from "../lease/store.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Logger } from "../net/log.ts";
import { check, v } from "../net/schema.ts";
import { askAgent } from "./control.ts";

const schema = v.array(v.object({
  key: v.string(),
  value: v.unknown(),
  node: v.optional(v.string()),
  /** Null where only the store knew it. */
  expires: v.optional(v.nullable(v.number())),
  revision: v.number(),
}));

/** The agent's answer: the records as they stood in the store. */
export function lingeringDocument(records: Iterable<LeaseRecord>): Json {
  return [...records].map(({ key, value, node, expires, revision }) => ({
    key,
    value,
    ...(node === undefined ? {} : { node }),
    ...(expires === undefined ? {} : { expires: expires === Infinity ? null : expires }),
    revision,
  }));
}

/**
 * Asks the agent behind the socket `path`. None where no agent runs or it is still joining, and where it cannot be
 * asked: then the log says so, except to users who may not.
 */
export async function askLingering(
  path: string,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<readonly LeaseRecord[]> {
  try {
    const answer = await askAgent(path, { op: "lingering", clock });
    if (answer == null) return [];
    return check(schema, answer, "the agent's answer").map(({ key, value, node, expires, revision }) => ({
      key,
      value: value as Json,
      node,
      expires: expires === null ? Infinity : expires,
      revision,
    }));
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const level = error.code === "not-permitted" ? "debug" : "warning";
    log.log(level, `Peers whose lease has expired are not known: ${error.message}`);
    return [];
  }
}
