/** The C library of the udp backend, each parameter with its C type (`ffi/proxy/flan_proxy.h`). */
export const proxySymbols = {
  flan_proxy_open: {
    parameters: [
      "buffer", // const struct flan_queue *queues
      "u32", // uint32_t queue_count
      "buffer", // const struct flan_options *
      "buffer", // struct flan_proxy **
    ],
    result: "i32", // int
  },
  flan_proxy_features: {
    parameters: ["pointer"], // const struct flan_proxy *
    result: "u32", // uint32_t
  },
  flan_proxy_configure: {
    parameters: [
      "pointer", // struct flan_proxy *
      "buffer", // const struct flan_settings *
    ],
    result: "i32", // int
  },
  flan_proxy_replace_routes: {
    parameters: [
      "pointer", // struct flan_proxy *
      "buffer", // const struct flan_route *routes
      "u32", // uint32_t count
    ],
    result: "i32", // int
  },
  flan_proxy_change_routes: {
    parameters: [
      "pointer", // struct flan_proxy *
      "buffer", // const struct flan_route *put
      "u32", // uint32_t put_count
      "buffer", // const struct flan_route *removed
      "u32", // uint32_t removed_count
    ],
    result: "i32", // int
  },
  flan_proxy_run: {
    parameters: ["pointer"], // struct flan_proxy *
    result: "i32", // int
    nonblocking: true,
  },
  flan_proxy_stop: {
    parameters: ["pointer"], // struct flan_proxy *
    result: "void",
  },
  flan_proxy_counters: {
    parameters: [
      "pointer", // const struct flan_proxy *
      "buffer", // uint64_t *values
      "u32", // uint32_t count
    ],
    result: "u32", // uint32_t
  },
  flan_proxy_counter_name: {
    parameters: ["u32"], // uint32_t index
    result: "pointer", // const char *
  },
  flan_proxy_close: {
    parameters: ["pointer"], // struct flan_proxy *
    result: "void",
  },
} as const satisfies Deno.ForeignLibraryInterface;
