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
    subnet6: v.exactOptional(text),
    publicIp6: v.exactOptional(text),
    network: text,
    network6: v.exactOptional(text),
    data: text,
    add: text,
    remove: text,
  })),
});

/** What stands around them in a document of one. */
const FRAME = documentOf([]).length;

/**
 * By `keyOf`; empty where there is no file. Throws `not-permitted` or `failed` where it cannot be read, and `invalid` for a
 * damaged one.
 */
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
    const [code, why] = error instanceof SyntaxError || error instanceof FlanError
      ? ["invalid" as const, messageOf(error)]
      : error instanceof Deno.errors.PermissionDenied
      ? ["not-permitted" as const, systemReason(error)]
      : ["failed" as const, systemReason(error)];
    throw new FlanError(`Cannot use ${file}: ${why}`, {
      op: "hooks.read",
      code,
      cause: error,
      hint: code === "not-permitted"
        ? "run as root"
        : `take away by hand what the network's commands made, and remove ${file}`,
    });
  }
}

/**
 * Throws `failed` where the document would become too large to be read again by `hook`, which takes the place of
 * `former`: to be asked before the hook is run, for what was made and not kept is never taken away.
 */
export function requireRoom(file: string, hook: Hook, former: Hook | undefined): void {
  const grown = sizeNow(file) + bytesOf(hook) - (former === undefined ? 0 : bytesOf(former));
  if (grown <= MAX_BYTES) return;
  throw new FlanError(
    `Cannot keep what is done for subnet ${hook.subnet}: ${file} would be larger than ${MAX_BYTES} bytes`,
    { op: "hooks.write", code: "failed", hint: "make the network's commands and its leases' data shorter" },
  );
}

function sizeNow(file: string): number {
  try {
    return Deno.statSync(file).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return FRAME;
    throw error;
  }
}

/** With the comma before it. */
function bytesOf(hook: Hook): number {
  return new TextEncoder().encode(JSON.stringify(rowOf(hook))).length + 1;
}

function rowOf({ kind: _, ...fields }: Hook): Omit<Hook, "kind"> {
  return fields;
}

function documentOf(hooks: readonly Hook[]): string {
  return `${JSON.stringify({ schema: "flan.hooks/v1", hooks: hooks.map(rowOf) })}\n`;
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
  await writeDurably(file, documentOf([...hooks.values()]), { mode: 0o600 });
}
