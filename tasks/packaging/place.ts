/** Puts an installation's entries onto a file system, so that a flan that runs from an older one is not disturbed. */
import type { Entry } from "./entry.ts";

/** At the end of a name whose file is not yet in its place. */
const UNFINISHED = ".flan-new";

/** The folders that must be made for `entries` below `root` ("" for the host itself), outermost first. */
export function missingFolders(entries: readonly Entry[], root: string): string[] {
  const missing = new Set<string>();
  for (const { path } of entries) {
    for (const folder of parentsOf(path)) if (!exists(root + folder)) missing.add(folder);
  }
  return [...missing].sort();
}

/** Those that are to be placed: a file that is an administrator's stays as it is. */
export function placeable(entries: readonly Entry[], root: string): Entry[] {
  return entries.filter((entry) => !(entry.kind === "file" && entry.keep && exists(root + entry.path)));
}

/**
 * Writes all entries beside their places, and only when each of them is complete puts them there, one rename each:
 * a process that has an older file open keeps it, and one that starts finds either file, never a half one. Where
 * something cannot be written, nothing is put into its place, and Deno's error is thrown.
 */
export function place(entries: readonly Entry[], root: string): void {
  const wanted = placeable(entries, root);
  for (const folder of missingFolders(wanted, root)) {
    Deno.mkdirSync(root + folder);
    // Whatever the umask is, everybody may run flan.
    Deno.chmodSync(root + folder, 0o755);
  }
  try {
    for (const entry of wanted) write(entry, root + entry.path + UNFINISHED);
    for (const { path } of wanted) Deno.renameSync(root + path + UNFINISHED, root + path);
  } catch (error) {
    for (const { path } of wanted) removeIfThere(root + path + UNFINISHED);
    throw error;
  }
}

/** A file, link or empty folder; whether something was there. */
export function removeIfThere(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A folder with all that is in it, if it is there. */
export function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function write(entry: Entry, path: string): void {
  // Of an installation that was interrupted.
  removeIfThere(path);
  if (entry.kind === "link") return Deno.symlinkSync(entry.target, path);
  const { content, mode } = entry;
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else if (content instanceof Uint8Array) Deno.writeFileSync(path, content);
  else Deno.copyFileSync(content.file, path);
  Deno.chmodSync(path, mode);
}

function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}`);
}

/** Links count, wherever they lead. */
function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
