/** How the tasks of installing talk: one sentence on stderr, and flan's exit codes. */
import { parseArgs } from "node:util";
import { exit, exitCode } from "../../cmd/exit.ts";
import { FlanError, invalid, messageOf, systemReason } from "../../net/errors.ts";
import { quoted } from "../../net/text.ts";
import { BuildError } from "../build.ts";

export interface Place {
  /** Goes before every path; "" for this host itself. */
  readonly root: string;
  /** Absolute, without a slash at its end. */
  readonly prefix: string;
}

export interface TaskFlags extends Place {
  readonly purge: boolean;
}

/** Reads the flags of a task, of which it takes `names`. Throws FlanError `invalid`. */
export function taskFlags(
  args: readonly string[],
  names: readonly ("root" | "prefix" | "purge")[],
): TaskFlags {
  const types = { root: "string", prefix: "string", purge: "boolean" } as const;
  const options = Object.fromEntries(names.map((name) => [name, { type: types[name] }]));
  let values: Readonly<Record<string, unknown>>;
  try {
    values = parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    throw invalid("install", `Cannot use these arguments: ${messageOf(error).split(". ")[0]}`);
  }
  return {
    root: folder("--root", values["root"] ?? "/"),
    prefix: plain(folder("--prefix", values["prefix"] ?? "/usr/local")),
    purge: values["purge"] === true,
  };
}

function folder(flag: string, value: unknown): string {
  const text = String(value);
  const path = text.replace(/\/+$/, "");
  const isPlain = text.startsWith("/") &&
    path.split("/").slice(1).every((part) => !["", ".", ".."].includes(part));
  if (isPlain && (path !== "" || flag === "--root")) return path;
  throw invalid("install", `Cannot use ${flag} ${quoted(text)}: an absolute path is needed`);
}

/** In a unit file a blank would end a word and `%` begin a specifier (systemd.service(5), systemd.unit(5)). */
function plain(prefix: string): string {
  if (/^[A-Za-z0-9._+/-]+$/.test(prefix)) return prefix;
  throw invalid(
    "install",
    `Cannot use --prefix ${quoted(prefix)}: letters, digits and . _ + - / can be in it`,
  );
}

/** Runs a task to its exit code, and says in one sentence what it did or why it could not. */
export async function runTask(name: string, work: () => Promise<string>): Promise<number> {
  try {
    console.error(`${name}: ${await work()}`);
    return exit.done;
  } catch (error) {
    if (error instanceof BuildError) return complain(name, error.message, error.exitCode);
    if (error instanceof FlanError) {
      const hint = error.hint === undefined ? "" : `\nhint: ${error.hint}`;
      return complain(name, error.message + hint, exitCode(error));
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      const path = /'(.*?)'/.exec(error.message)?.[1] ?? "a file";
      return complain(
        name,
        `Cannot change ${path}: ${systemReason(error)}, please run it as root`,
        exit.unsupported,
      );
    }
    throw error;
  }
}

function complain(name: string, text: string, code: number): number {
  console.error(`${name}: ${text}`);
  return code;
}
