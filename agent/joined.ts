/**
 * `joined.json` in the run directory: the settings this host has joined with, so that `flan routes`, `flan
 * down` and a second `flan up` need not be told again. It outlives the agent, as the network does.
 */
import { v } from "../net/schema.ts";
import { writeDurably } from "../lease/file/durable_file.ts";
import { readOwnDocument } from "./own_document.ts";
import type { FormerUnderlay } from "./underlay.ts";

const schema = v.object({
  schema: v.literal("flan.joined/v1"),
  pid: v.number(),
  settings: v.record(v.string(), v.string()),
  found: v.record(v.string(), v.string()),
  node: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))),
  device: v.optional(v.string()),
  underlay: v.optional(v.object({ link: v.string(), address: v.string(), address6: v.optional(v.string()) })),
  once: v.optional(v.boolean()),
});

export interface Joined {
  /** The process that joined; whether it still runs is the lock's business. */
  readonly pid: number;
  /** The settings by name, as a user would write them; "-" for what was left open. */
  readonly settings: Readonly<Record<string, string>>;
  /** What stood in the place of the settings that were left open. */
  readonly found: Readonly<Record<string, string>>;
  /** This host's identity, for the day on which its state directory is lost. Older documents have none. */
  readonly node?: string | undefined;
  /** The name of the backend's device, "" where it makes none. */
  readonly device?: string | undefined;
  /** What carries the overlay, and the host's address there. Older documents have none. */
  readonly underlay?: FormerUnderlay | undefined;
  /** Whether no agent was to stay, as after `flan up --once`. */
  readonly once?: boolean | undefined;
}

export async function writeJoined(runDir: string, joined: Joined): Promise<void> {
  const text = JSON.stringify({ schema: "flan.joined/v1", ...joined }, null, 2);
  await writeDurably(fileIn(runDir), `${text}\n`, { mode: 0o644 });
}

/** Undefined where this host has not joined. Throws what {@link readOwnDocument} does. */
export function readJoined(runDir: string): Joined | undefined {
  const file = fileIn(runDir);
  return readOwnDocument(file, { schema, hint: `remove ${file}; flan up writes it anew` });
}

/** The underlay that this host is in the network by, also after its agent has ended. Throws as {@link readJoined}. */
export function joinedOver(runDir: string): FormerUnderlay | undefined {
  const { found, underlay } = readJoined(runDir) ?? {};
  const { iface: link, publicIp: address } = found ?? {};
  return underlay ?? (link === undefined || address === undefined ? undefined : { link, address });
}

export function removeJoined(runDir: string): void {
  try {
    Deno.removeSync(fileIn(runDir));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function fileIn(runDir: string): string {
  return `${runDir}/joined.json`;
}
