/** Sysctls are files below /proc/sys. */
import { invalid, messageOf } from "../net/errors.ts";
import { quoted } from "../net/text.ts";
import type { Sysctl } from "../kernel/state.ts";
import { errnoNumber } from "./errno.ts";
import type { Answer } from "./netlink_error.ts";

/** Reads a value without its line end; undefined where there is no such sysctl. Throws `invalid`. */
export function readSysctl(name: string): Sysctl | undefined {
  const path = pathOf(name);
  try {
    return { kind: "sysctl", name, value: Deno.readTextFileSync(path).trimEnd() };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes a value. Throws `invalid` for a name that could leave /proc/sys. */
export function writeSysctl({ name, value }: Sysctl): Answer {
  const path = pathOf(name);
  try {
    Deno.writeTextFileSync(path, value, { create: false });
    return { errno: 0, text: "" };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const errno = errnoNumber(code);
    return errno === undefined ? { errno: errnoNumber("EIO")!, text: messageOf(error) } : { errno, text: "" };
  }
}

function pathOf(name: string): string {
  const parts = name.split("/");
  const bad = name.length > 255 || name.includes("\0") ||
    parts.some((part) => part === "" || part === "." || part === "..");
  if (bad) throw invalid("ffi.sysctl", `Cannot use sysctl ${quoted(name)}: it is no path below /proc/sys`);
  return `/proc/sys/${name}`;
}
