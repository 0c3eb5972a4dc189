/**
 * What an installation has put on a host, so that exactly this can be taken away. One path a line, folders with a
 * slash at their end; a folder is listed only where the installation made it.
 */
import { FlanError } from "../../net/errors.ts";
import { homeOf } from "./layout.ts";
import { removeIfThere } from "./place.ts";

export interface Manifest {
  readonly files: readonly string[];
  /** Outermost first. */
  readonly folders: readonly string[];
}

export const empty: Manifest = { files: [], folders: [] };

export function manifestPath(prefix: string): string {
  return `${homeOf(prefix)}/manifest`;
}

/** Both, each path once. */
export function union(one: Manifest, other: Manifest): Manifest {
  const both = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])].sort();
  return { files: both(one.files, other.files), folders: both(one.folders, other.folders) };
}

export function formatManifest({ files, folders }: Manifest): string {
  return [...files, ...folders.map((folder) => `${folder}/`)].sort().map((line) => `${line}\n`).join("");
}

/** Throws FlanError `invalid` for a line that names no place below the root: nothing is removed by such a list. */
export function parseManifest(text: string): Manifest {
  const lines = text.split("\n").filter(Boolean);
  const wrong = lines.find((line) => !/^(\/[^/]+)+\/?$/.test(line) || /\/\.{1,2}(\/|$)/.test(line));
  if (wrong !== undefined) {
    throw new FlanError(
      `Cannot use the list of what is installed: ${JSON.stringify(wrong)} is not a path in it`,
      {
        op: "install.manifest",
        code: "invalid",
      },
    );
  }
  return {
    files: lines.filter((line) => !line.endsWith("/")).sort(),
    folders: lines.filter((line) => line.endsWith("/")).map((line) => line.slice(0, -1)).sort(),
  };
}

/** What is installed with `prefix` below `root`, or undefined where nothing is. */
export function readManifest(prefix: string, root: string): Manifest | undefined {
  try {
    return parseManifest(Deno.readTextFileSync(root + manifestPath(prefix)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes what is listed. What is not there any more is fine, and a folder with something else in it stays. */
export function removeListed({ files, folders }: Manifest, root: string): void {
  for (const file of files) removeIfThere(root + file);
  for (const folder of folders.toReversed()) {
    try {
      removeIfThere(root + folder);
    } catch (error) {
      if (!isNotEmpty(error)) throw error;
    }
  }
}

function isNotEmpty(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOTEMPTY";
}
