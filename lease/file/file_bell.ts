/** Rings when a file is replaced, written or removed (inotify on its directory). */
import { FlanError, systemReason } from "../../net/errors.ts";
import { directoryOf } from "./durable_file.ts";
import { Bell } from "../bell.ts";

export interface FileBell extends AsyncDisposable {
  readonly bell: Bell;
  /**
   * Throws `store` where the path of the directory leads to another one than is watched: inotify watches an
   * inode, and hears nothing of what happens in a directory that was put, or mounted, in its place.
   */
  check(): Promise<void>;
}

/**
 * A bell for the file at `path`, armed when this resolves; the directory must exist, the file need not. It
 * fails with `store` when the directory itself goes away. Disposing it gives the inotify descriptor back, as
 * does the signal.
 */
export async function fileBell(path: string, signal: AbortSignal): Promise<FileBell> {
  const { watcher, directory, check } = await arm(directoryOf(path));
  const file = `${directory}/${path.slice(path.lastIndexOf("/") + 1)}`;
  const bell = new Bell();
  const pumping = pump(watcher, { bell, file, directory });
  let open = true;
  const close = () => {
    if (open) watcher.close();
    open = false;
  };
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  return {
    bell,
    check,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", close);
      close();
      await pumping;
    },
  };
}

async function arm(
  directory: string,
): Promise<{ watcher: Deno.FsWatcher; directory: string; check: () => Promise<void> }> {
  // Looked at before it is watched: what takes its place in between is found by the first check.
  const watched = await identityOf(directory);
  const check = async () => {
    if (await identityOf(directory) !== watched) throw lost(directory, "another directory is in its place");
  };
  try {
    const real = await Deno.realPath(directory);
    return { watcher: Deno.watchFs(real, { recursive: false }), directory: real, check };
  } catch (error) {
    throw lost(directory, systemReason(error));
  }
}

async function identityOf(directory: string): Promise<string> {
  try {
    const { dev, ino } = await Deno.stat(directory);
    return `${dev} ${ino}`;
  } catch (error) {
    throw lost(directory, systemReason(error));
  }
}

async function pump(
  watcher: Deno.FsWatcher,
  { bell, file, directory }: { bell: Bell; file: string; directory: string },
): Promise<void> {
  try {
    for await (const { kind, paths, flag } of watcher) {
      if ((kind === "remove" || kind === "rename") && paths.includes(directory)) {
        bell.fail(lost(directory, "it was removed"));
      } else if (kind !== "access" && paths.includes(file) || flag === "rescan") bell.ring();
    }
  } catch (error) {
    bell.fail(lost(directory, systemReason(error)));
  }
}

function lost(directory: string, why: string): FlanError {
  return new FlanError(`Cannot watch directory ${directory}: ${why}`, { op: "store.watch", code: "store" });
}
