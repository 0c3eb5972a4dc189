/** Arguments of the programs that measure: what is wrong with them is one sentence, and help is there for who asks. */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** What is wrong with the arguments, as one sentence. */
export class UsageError extends Error {}

/** The arguments, as `parseArgs` reads them. Throws UsageError. */
export function parsed<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // Further sentences are about programs in general.
    throw new UsageError(error.message.split(/\.?\n|\. |\.$/)[0]!);
  }
}

/** Insists that a file can be written, before the work whose figures it is for. Throws UsageError. */
export function writable(path: string): string {
  try {
    Deno.openSync(path, { append: true, create: true }).close();
    return path;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    // The runtime adds number and call.
    throw new UsageError(`Cannot write ${path}: ${why.split(" (os error")[0]}`);
  }
}

/**
 * What `read` makes of the arguments. Where it throws UsageError the program prints that and exits with 2; where it is
 * undefined the program prints `help` and exits with 0.
 */
export function settingsOrExit<T>(read: () => T | undefined, help: string): T {
  try {
    const settings = read();
    if (settings !== undefined) return settings;
    console.log(help);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
  Deno.exit(0);
}
