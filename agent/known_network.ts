/** The network as a running agent knows it, told to the other commands on its host. */
import { leaseKey } from "../lease/key.ts";
import type { LeaseRecord, Snapshot } from "../lease/store.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Logger } from "../net/log.ts";
import { check, v } from "../net/schema.ts";
import type { Agent } from "./agent.ts";
import { askAgent } from "./control.ts";

export interface KnownNetwork {
  /** The store as the agent's settings name it. */
  readonly store: string;
  /** When the store said something last, milliseconds since 1970. */
  readonly heard: number | undefined;
  /** What it said then, without the past leases. */
  readonly snapshot: Snapshot;
  /** Whom the agent keeps although their lease is gone, as they stood in the store. */
  readonly lingering: readonly LeaseRecord[];
}

const records = v.array(v.object({
  key: v.string(),
  value: v.unknown(),
  node: v.optional(v.string()),
  otherPlanes: v.optional(v.unknown()),
  /** Null where only the store knew it. */
  expires: v.optional(v.nullable(v.number())),
  revision: v.number(),
}));

const schema = v.object({
  store: v.string(),
  heard: v.optional(v.number()),
  revision: v.number(),
  config: v.optional(v.object({ value: v.unknown(), revision: v.number() })),
  records,
  lingering: records,
});

const lingeringSchema = v.object({ lingering: records });

/** What the agent knows, of the store that its settings name so. The end of its own lease is the one it renewed last. */
export function knownNetwork({ state, store: { heard } }: Agent, store: string): KnownNetwork {
  const { snapshot, own, lingering } = state;
  const ownKey = own && leaseKey(own);
  const records = snapshot.records.map((record) =>
    record.key === ownKey && record.node === own!.node ? { ...record, expires: own!.expires } : record
  );
  return { store, heard, snapshot: { ...snapshot, records, past: [] }, lingering };
}

/** The agent's answer. */
export function knownDocument({ store, heard, snapshot, lingering }: KnownNetwork): Json {
  const { revision, config } = snapshot;
  return {
    store,
    ...(heard === undefined ? {} : { heard }),
    revision,
    ...(config === undefined ? {} : { config: { value: config.value, revision: config.revision } }),
    records: snapshot.records.map(recordDocument),
    lingering: lingering.map(recordDocument),
  };
}

/**
 * Asks the agent behind the socket `path`. Undefined where no agent runs or it is still joining, and where it cannot
 * be asked: then the log says so, except to users who may not.
 */
export async function askNetwork(
  path: string,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<KnownNetwork | undefined> {
  const answer = await asked(path, { op: "network", as: schema, clock, log });
  if (answer === undefined) return undefined;
  const { store, heard, revision, config, ...lists } = answer;
  return {
    store,
    heard,
    snapshot: {
      revision,
      config: config && { value: config.value as Json, revision: config.revision },
      records: lists.records.map(recordOf),
      past: [],
    },
    lingering: lists.lingering.map(recordOf),
  };
}

/** The answer to {@link askLingering}. */
export function lingeringDocument({ state: { lingering } }: Pick<Agent, "state">): Json {
  return { lingering: lingering.map(recordDocument) };
}

/**
 * Asks for no more than whom the agent keeps although their lease is gone: nearly always nobody, where the network may
 * be ten thousand leases. Nobody, too, where the agent cannot be asked; see {@link askNetwork}.
 */
export async function askLingering(
  path: string,
  tools: { clock: Clock; log: Logger },
): Promise<readonly LeaseRecord[]> {
  const answer = await asked(path, { op: "lingering", as: lingeringSchema, ...tools });
  return answer?.lingering.map(recordOf) ?? [];
}

async function asked<T extends v.GenericSchema>(
  path: string,
  { op, as, clock, log }: { op: "network" | "lingering"; as: T; clock: Clock; log: Logger },
): Promise<v.InferOutput<T> | undefined> {
  try {
    const answer = await askAgent(path, { op, clock });
    return answer == null ? undefined : check(as, answer, "the agent's answer");
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const level = error.code === "not-permitted" ? "debug" : "warning";
    log.log(level, `What the agent knows is not known here: ${error.message}`);
    return undefined;
  }
}

function recordDocument({ key, value, node, otherPlanes, expires, revision }: LeaseRecord): Json {
  return {
    key,
    value,
    ...(node === undefined ? {} : { node }),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
    ...(expires === undefined ? {} : { expires: expires === Infinity ? null : expires }),
    revision,
  };
}

function recordOf(
  { key, value, node, otherPlanes, expires, revision }: v.InferOutput<typeof records>[number],
): LeaseRecord {
  return {
    key,
    value: value as Json,
    node,
    ...(otherPlanes === undefined ? {} : { otherPlanes: otherPlanes as Json }),
    expires: expires === null ? Infinity : expires,
    revision,
  };
}
