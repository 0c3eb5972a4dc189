/** Opens shared libraries: once, when first used, never when a module is imported. */
import { FlanError, messageOf } from "../net/errors.ts";

export interface LibraryInit<S extends Deno.ForeignLibraryInterface> {
  /** What it is, for the error: `libnl-3`. */
  readonly name: string;
  /** File names or paths in the order in which they are tried. */
  readonly files: readonly string[];
  readonly symbols: S;
  /** The command that brings a missing library. */
  readonly hint: string;
}

/**
 * A function that opens the library when it is first called and returns the same symbols from then on. It
 * throws FlanError `unsupported`, with everything that was tried, where no file can be opened; the next call
 * tries again. A library stays open for the life of the process: opening and closing leaks a little each time.
 */
export function library<const S extends Deno.ForeignLibraryInterface>(
  init: LibraryInit<S>,
): () => Deno.StaticForeignLibraryInterface<S> {
  let opened: Deno.DynamicLibrary<S> | undefined;
  return () => {
    opened ??= open(init);
    return opened.symbols;
  };
}

function open<S extends Deno.ForeignLibraryInterface>(init: LibraryInit<S>): Deno.DynamicLibrary<S> {
  let cause: unknown;
  for (const file of init.files) {
    try {
      return Deno.dlopen(file, init.symbols);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      cause = error;
    }
  }
  // Deno says "Could not open library" twice before the loader's own words.
  const why = messageOf(cause).replace(/^(Could not open library: )+/, "");
  throw new FlanError(`Cannot open library ${init.name} (tried ${init.files.join(", ")}): ${why}`, {
    op: "ffi.open",
    code: "unsupported",
    cause,
    hint: init.hint,
  });
}
