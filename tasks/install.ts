/**
 * Installs flan: `deno run -A tasks/install.ts [--root DIR] [--prefix /usr/local]`. Everything that it needs at run
 * time comes along, also Deno, so that it asks for no network and no home directory. Exit 5 where it is not
 * permitted.
 */
import { FlanError } from "../net/errors.ts";
import { layout } from "./packaging/layout.ts";
import {
  empty,
  formatManifest,
  type Manifest,
  manifestPath,
  readManifest,
  removeListed,
  union,
} from "./packaging/manifest.ts";
import { missingFolders, place, placeable } from "./packaging/place.ts";
import { reloadUnits } from "./packaging/reload_units.ts";
import { type Place, runTask, taskFlags } from "./packaging/task.ts";
import type { Entry } from "./packaging/entry.ts";

/** Installs `entries`, and takes away what an earlier installation had and this one has not. */
export function install(entries: readonly Entry[], { root, prefix }: Place): void {
  if (root !== "") Deno.mkdirSync(root, { recursive: true });
  const before = readManifest(prefix, root) ?? empty;
  const wanted = placeable(entries, root);
  const list = manifestPath(prefix);
  const files = entries.filter((entry) => !(entry.kind === "file" && entry.keep)).map(({ path }) => path);
  const now: Manifest = {
    files: [...files, list],
    folders: [...new Set([...before.folders, ...missingFolders(wanted, root)])].sort(),
  };
  const write = (manifest: Manifest) =>
    place([{ kind: "file", path: list, mode: 0o644, content: formatManifest(manifest) }], root);
  // First, so that one that is interrupted can be taken away too.
  write(union(before, now));
  place(entries, root);
  removeListed({ files: before.files.filter((file) => !now.files.includes(file)), folders: [] }, root);
  write(now);
}

/** Runs it once: proves that it works, and compiles it for everybody. Throws FlanError `failed`. */
async function tryOut(program: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: ["completions", "bash"],
    clearEnv: true,
    stdout: "null",
  }).output();
  if (success) return;
  const why = new TextDecoder().decode(stderr).trim();
  throw new FlanError(`Cannot run ${program}: ${why}`, { op: "install.try", code: "failed" });
}

async function run(args: readonly string[]): Promise<string> {
  const where = taskFlags(args, ["root", "prefix"]);
  const scratch = await Deno.makeTempDir({ prefix: "flan-install-" });
  try {
    Deno.umask(0o022);
    install(await layout(where.prefix, scratch), where);
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
  const program = `${where.prefix}/bin/flan`;
  if (where.root === "") {
    await tryOut(program);
    await reloadUnits();
  }
  return `${where.root}${program} is there; nothing is started`;
}

if (import.meta.main) Deno.exit(await runTask("install", () => run(Deno.args)));
