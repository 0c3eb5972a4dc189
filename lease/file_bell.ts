/** Rings when a file is replaced, written or removed (inotify on its directory; nothing polls). */
import { FlanError } from "../net/errors.ts";
import { directoryOf, reasonOf } from "./durable_file.ts";
import { Bell } from "./watch.ts";

/**
 * A bell for the file at `path`, armed when this resolves; the directory must exist, the file need not. It
 * fails with `store` when the directory itself goes away. Disposing it gives the inotify descriptor back, as
 * does the signal.
 */
export async function fileBell(path: string, signal: AbortSignal): Promise<{ bell: Bell } & AsyncDisposable> {
  const { watcher, directory } = await arm(directoryOf(path));
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
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", close);
      close();
      await pumping;
    },
  };
}

async function arm(directory: string): Promise<{ watcher: Deno.FsWatcher; directory: string }> {
  try {
    const real = await Deno.realPath(directory);
    return { watcher: Deno.watchFs(real, { recursive: false }), directory: real };
  } catch (error) {
    throw lost(directory, reasonOf(error));
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
    bell.fail(lost(directory, reasonOf(error)));
  }
}

function lost(directory: string, why: string): FlanError {
  return new FlanError(`Cannot watch directory ${directory}: ${why}`, { op: "store.watch", code: "store" });
}
