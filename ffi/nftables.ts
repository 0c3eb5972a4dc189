/** libnftables: commands of `nft` run in this process, each buffer of them as one transaction. */
import { KernelError } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { errnoOfText } from "./errno.ts";
import { NETLINK_NETFILTER, requireNetlink } from "./netlink_socket.ts";
import { library } from "./open.ts";
import { nftablesSymbols } from "./symbols/nftables.ts";

/** NFT_CTX_OUTPUT_JSON, nftables/libnftables.h. */
const OUTPUT_JSON = 1 << 4;

/** libnftables, opened when first used. Throws FlanError `unsupported` where it is not installed. */
const nftables = library({
  name: "libnftables",
  files: ["libnftables.so.1", "libnftables.so"],
  symbols: nftablesSymbols,
  hint: "apt-get install libnftables1",
});

/**
 * Runs commands, one a line, and returns what they print as JSON ("" for commands that print nothing). Either all of
 * them are carried out or none. It blocks: a few milliseconds, more only for very large rule sets that are listed.
 * Throws FlanError `unsupported` where the library or the kernel's part is missing, and KernelError (`EPERM`, `ENOENT`, …) with the first
 * complaint; its errno is "" where the library names none.
 */
export function runNft(commands: string): string {
  const lib = nftables();
  // The library itself ends the process where it gets no socket.
  requireNetlink(NETLINK_NETFILTER, "Cannot use the packet filter");
  // One that is kept would keep its socket too, and would have to be given back.
  const context = lib.nft_ctx_new(0);
  if (context === null) throw refusal("it cannot be opened");
  try {
    lib.nft_ctx_output_set_flags(context, OUTPUT_JSON);
    if (lib.nft_ctx_buffer_output(context) !== 0 || lib.nft_ctx_buffer_error(context) !== 0) {
      throw refusal("Cannot allocate memory");
    }
    const text = new TextEncoder().encode(`${commands}\0`);
    if (lib.nft_run_cmd_from_buffer(context, text) === 0) {
      return textAt(lib.nft_ctx_get_output_buffer(context));
    }
    throw refusal(textAt(lib.nft_ctx_get_error_buffer(context)));
  } finally {
    lib.nft_ctx_free(context);
  }
}

function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}

/** The library says `Error: Could not process rule: No such file or directory`, and then shows the command. */
function refusal(words: string): KernelError {
  const first = words.split("\n").find((line) => line.trim() !== "") ?? "it does not say why";
  const reason = first.replace(/^.*?Error: /, "").replace(/ \(you must be root\)$/, "");
  const message = `Cannot use the packet filter: ${printable(reason, 400)}`;
  return new KernelError(message, errnoOfText(reason) ?? "", { op: "firewall" });
}
