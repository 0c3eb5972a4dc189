/** `hooks.json` in the run directory: what the network's commands did on this host and have not taken away again. */
import { writeDurably } from "../lease/file/durable_file.ts";
import { type Hook, keyOf } from "../kernel/state.ts";
import { FlanError, messageOf, systemReason } from "../net/errors.ts";
import { check, v } from "../net/schema.ts";

/** Room for the largest network, with long commands. */
const MAX_BYTES = 64 * 1024 * 1024;

const text = v.string();
const schema = v.object({
  schema: v.literal("flan.hooks/v1"),
  hooks: v.array(v.object({
    subnet: text,
    publicIp: text,
    network: text,
    data: text,
    add: text,
    remove: text,
  })),
});

/** By `keyOf`; empty where there is no file. Throws `not-permitted` or `failed` where it cannot be read, and `invalid` for a damaged one. */
export function readHooks(file: string): Map<string, Hook> {
  try {
    const { size } = Deno.statSync(file);
    if (size > MAX_BYTES) throw new SyntaxError(`it is larger than ${MAX_BYTES} bytes`);
    const { hooks } = check(schema, JSON.parse(Deno.readTextFileSync(file)), file);
    return new Map(hooks.map((fields): [string, Hook] => {
      const hook: Hook = { kind: "hook", ...fields };
      return [keyOf(hook), hook];
    }));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    if (error instanceof FlanError) throw error;
    const [code, why] = error instanceof SyntaxError
      ? ["invalid" as const, messageOf(error)]
      : error instanceof Deno.errors.PermissionDenied
      ? ["not-permitted" as const, systemReason(error)]
      : ["failed" as const, systemReason(error)];
    throw new FlanError(`Cannot use ${file}: ${why}`, { op: "hooks.read", code, cause: error });
  }
}

/** Writes them, for root's eyes: commands and data may be secrets. Without any, the file is removed. Throws `failed`. */
export async function writeHooks(file: string, hooks: ReadonlyMap<string, Hook>): Promise<void> {
  if (hooks.size === 0) {
    await Deno.remove(file).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return;
      throw new FlanError(`Cannot remove ${file}: ${systemReason(error)}`, {
        op: "hooks.write",
        code: "failed",
        cause: error,
      });
    });
    return;
  }
  const rows = [...hooks.values()].map(({ kind: _, ...fields }) => fields);
  await writeDurably(file, `${JSON.stringify({ schema: "flan.hooks/v1", hooks: rows })}\n`, { mode: 0o600 });
}
