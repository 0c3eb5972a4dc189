/** What flan calls in libnftables (nftables/libnftables.h, man 3 libnftables). */
export const nftablesSymbols = {
  nft_ctx_new: {
    parameters: ["u32"], // uint32_t flags
    result: "pointer", // struct nft_ctx *
  },
  nft_ctx_output_set_flags: {
    parameters: [
      "pointer", // struct nft_ctx *
      "u32", // unsigned int flags
    ],
    result: "void",
  },
  nft_ctx_buffer_output: {
    parameters: ["pointer"], // struct nft_ctx *
    result: "i32", // int
  },
  nft_ctx_buffer_error: {
    parameters: ["pointer"], // struct nft_ctx *
    result: "i32", // int
  },
  nft_ctx_get_output_buffer: {
    parameters: ["pointer"], // struct nft_ctx *
    result: "pointer", // const char *
  },
  nft_ctx_get_error_buffer: {
    parameters: ["pointer"], // struct nft_ctx *
    result: "pointer", // const char *
  },
  nft_run_cmd_from_buffer: {
    parameters: [
      "pointer", // struct nft_ctx *
      "buffer", // const char *buf
    ],
    result: "i32", // int
  },
  nft_ctx_free: {
    parameters: ["pointer"], // struct nft_ctx *
    result: "void",
  },
} as const satisfies Deno.ForeignLibraryInterface;
