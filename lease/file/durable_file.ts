/** Files that are always whole: a reader, or a power cut, finds the old contents or the new, never a mixture. */
import { FlanError, systemReason } from "../../net/errors.ts";

export interface DurableOptions {
  /** Permission bits, whatever the umask; 0644 unless given. */
  readonly mode?: number;
  /** Done when the new contents are on disk and the old file is still in its place. */
  readonly beforeRename?: () => Promise<void>;
}

/**
 * Writes `text` to `path`: a new file beside it (O_EXCL), fsync, rename over it, fsync of the directory
 * (rename(2), fsync(2)). Throws `failed` with the system's reason; the old file then stands, unless only the
 * last step failed.
 */
export async function writeDurably(path: string, text: string, options: DurableOptions = {}): Promise<void> {
  const { mode = 0o644 } = options;
  let temporary: string | undefined;
  try {
    const opened = await openNew(path, mode);
    temporary = opened.path;
    await fill(opened.file, { text, path: temporary, mode });
    await options.beforeRename?.();
    await Deno.rename(temporary, path);
    temporary = undefined;
    await syncDirectory(directoryOf(path));
  } catch (error) {
    // What counts is the first error; a file that cannot be removed now is left to removeLeftovers.
    if (temporary !== undefined) await Deno.remove(temporary).catch(() => undefined);
    throw new FlanError(`Cannot write ${path}: ${systemReason(error)}`, {
      op: "file.write",
      code: "failed",
      cause: error,
    });
  }
}

/**
 * Removes what writers of `path` left behind when they were killed. Only for whoever holds the lock that all
 * writers of the file take.
 */
export async function removeLeftovers(path: string): Promise<void> {
  for (const sibling of await siblings(path, ".tmp-")) await Deno.remove(sibling);
}

/** The files beside `path` whose names are its name, `infix` and anything, in order. */
export async function siblings(path: string, infix: string): Promise<string[]> {
  const directory = directoryOf(path);
  const start = path.slice(path.lastIndexOf("/") + 1) + infix;
  const found: string[] = [];
  for await (const entry of Deno.readDir(directory)) {
    if (entry.isFile && entry.name.startsWith(start)) found.push(`${directory}/${entry.name}`);
  }
  return found.sort();
}

/** The directory part of a path, "." where it has none. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, Math.max(slash, 1));
}

async function openNew(path: string, mode: number): Promise<{ path: string; file: Deno.FsFile }> {
  // A name may be taken by a killed process that had our number, or in another container.
  for (let i = 0;; i++) {
    const temporary = `${path}.tmp-${Deno.pid}-${i}`;
    try {
      return { path: temporary, file: await Deno.open(temporary, { write: true, createNew: true, mode }) };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || i === 99) throw error;
    }
  }
}

async function fill(
  file: Deno.FsFile,
  { text, path, mode }: { text: string; path: string; mode: number },
): Promise<void> {
  try {
    // open(2) takes the umask off the mode.
    await Deno.chmod(path, mode);
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    await file.sync();
  } finally {
    file.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  using file = await Deno.open(directory);
  await file.sync();
}
