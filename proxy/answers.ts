/** The answers of a proxy, which may be of another version than who asks: checked, and more fields are fine. */
import { KernelError } from "../net/errors.ts";
import { check, v } from "../net/schema.ts";

const settings = v.object({
  link: v.string(),
  address: v.string(),
  port: v.number(),
  subnet: v.string(),
  source: v.string(),
  checkSource: v.optional(v.boolean(), true),
  queues: v.optional(v.number(), 1),
});

/** Ten thousand of them are nothing special: by hand rather than by schema. */
const way = v.custom<readonly [string, string, number]>((value) =>
  Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "string" &&
  typeof value[2] === "number"
);

export const shown = v.object({
  pid: v.optional(v.number(), 0),
  version: v.optional(v.string(), ""),
  generation: v.optional(v.number(), 0),
  proxy: v.nullable(settings),
  carrying: v.boolean(),
  failure: v.optional(v.nullable(v.string()), null),
  features: v.optional(v.array(v.string()), []),
  routes: v.array(way),
});

export const configured = v.object({
  generation: v.number(),
  carrying: v.optional(v.boolean(), false),
  failure: v.nullable(v.object({
    message: v.string(),
    errno: v.optional(v.string(), ""),
  })),
});

export const changed = v.object({
  generation: v.number(),
  routes: v.optional(v.number(), 0),
  refused: v.optional(v.string()),
});

export const counted = v.object({
  since: v.optional(v.string(), ""),
  counters: v.record(v.string(), v.number()),
  features: v.optional(v.array(v.string()), []),
  // One that does not say whether it carries anything is an older one, and most of them do.
  carrying: v.optional(v.boolean(), true),
  failure: v.optional(v.nullable(v.string()), null),
});

export const followed = v.object({
  generation: v.number(),
  carrying: v.optional(v.boolean(), true),
  link: v.optional(v.nullable(v.string()), null),
});

export const stopped = v.object({ pid: v.number(), stopped: v.boolean() });

export type Shown = v.InferOutput<typeof shown>;
export type Configured = v.InferOutput<typeof configured>;
export type Changed = v.InferOutput<typeof changed>;
export type Counted = v.InferOutput<typeof counted>;
export type Followed = v.InferOutput<typeof followed>;
export type Stopped = v.InferOutput<typeof stopped>;

/** Throws KernelError EPROTO for an answer that says less than is needed. */
export function understand<T extends v.GenericSchema>(schema: T, value: unknown): v.InferOutput<T> {
  try {
    return check(schema, value, "the answer of the UDP proxy");
  } catch (error) {
    throw new KernelError(error instanceof Error ? error.message : String(error), "EPROTO", {
      op: "proxy.ask",
      code: "unsupported",
      hint: "it may be another version's: flan proxy stop ends it, and the agent starts its own",
    });
  }
}
