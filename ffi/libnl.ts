/** libnl-3, opened when first used, and its error codes as exceptions. */
import { FlanError } from "../net/errors.ts";
import { library } from "./open.ts";
import { libnlSymbols } from "./symbols/libnl.ts";

/** libnl-3. Throws FlanError `unsupported` where it is not installed. */
export const libnl = library({
  name: "libnl-3",
  files: ["libnl-3.so.200", "libnl-3.so"],
  symbols: libnlSymbols,
  hint: "apt-get install libnl-3-200",
});

/** What libnl says about a result below zero (netlink/errno.h). */
export function libnlError(result: number): string {
  const text = libnl().nl_geterror(result);
  return text === null ? `error ${result}` : new Deno.UnsafePointerView(text).getCString();
}

/** An object that does not fit a netlink message, or that libnl refuses to encode. */
export function cannotEncode(result: number): FlanError {
  return new FlanError(`Cannot encode a netlink message: ${libnlError(result)}`, {
    op: "ffi.encode",
    code: "invalid",
  });
}
