/**
 * Installs flan: `deno run -A tasks/install.ts [--root DIR] [--prefix /usr/local]`. Everything that it needs at run
 * time comes along, also Deno, so that it asks for no network and no home directory. Exit 5 where it is not
 * permitted.
 */
import { isAgentThere, lockHolder } from "../agent/lock.ts";
import { settings } from "../cmd/settings.ts";
import { FlanError } from "../net/errors.ts";
import { cacheFolder, homeOf, layout } from "./packaging/layout.ts";
import {
  empty,
  formatManifest,
  type Manifest,
  manifestPath,
  readManifest,
  removeListed,
  union,
} from "./packaging/manifest.ts";
import { missingFolders, place, placeable, removeTree } from "./packaging/place.ts";
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
  const isUsed = (folder: string) => entries.some(({ path }) => path.startsWith(`${folder}/`));
  const now: Manifest = {
    files: [...files, list],
    folders: [...new Set([...before.folders.filter(isUsed), ...missingFolders(wanted, root)])].sort(),
  };
  const write = (manifest: Manifest) =>
    place([{ kind: "file", path: list, mode: 0o644, content: formatManifest(manifest) }], root);
  // First, so that one that is interrupted can be taken away too.
  write(union(before, now));
  place(entries, root);
  removeListed({
    files: before.files.filter((file) => !now.files.includes(file)),
    folders: before.folders.filter((folder) => !now.folders.includes(folder)),
  }, root);
  write(now);
}

/** Runs a program of it as it will be run, and so proves that it works. Throws FlanError `failed`. */
async function tryOut(program: string, args: readonly string[] = []): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    clearEnv: true,
    stdout: "null",
  }).output();
  if (success) return;
  const why = new TextDecoder().decode(stderr).trim();
  throw new FlanError(`Cannot run ${program}: ${why}`, { op: "install.try", code: "failed" });
}

/** An agent that runs goes on as it was started; its data plane does without it for a moment. */
function restartHint(runDir: string): string {
  if (!isAgentThere(runDir)) return "";
  const pid = lockHolder(runDir) ?? "PID";
  return `\nhint: an agent runs as it was before (process ${pid}); for the new version, systemctl restart flan, or ` +
    `kill ${pid} and flan up with the same flags: the network stays up meanwhile`;
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
  // Of an older version: names change with what is in the files, so that nobody would ever write over it.
  removeTree(where.root + cacheFolder);
  const program = `${where.prefix}/bin/flan`;
  if (where.root === "") {
    await tryOut(`${homeOf(where.prefix)}/bin/compile`);
    await tryOut(program, ["completions", "bash"]);
    await reloadUnits();
  }
  const told = `${where.root}${program} is there; nothing is started`;
  return told + restartHint(where.root + settings.runDir.fallback);
}

if (import.meta.main) Deno.exit(await runTask("install", () => run(Deno.args)));
