/** What can be built from the C sources: the library that flan loads, and what its tests need. */

export interface Variant {
  /** Below the project's root. */
  readonly output: string;
  /** Programs that are tried in this order. */
  readonly compilers: () => readonly string[];
  /** Debian's packages with such a compiler. */
  readonly packages: string;
  readonly flags: readonly string[];
  /** Folders with sources, of which all are taken, or only some. */
  readonly folders: readonly { readonly path: string; readonly only?: readonly string[] }[];
}

export type VariantName =
  | "library"
  | "test"
  | "fuzz"
  | "replay"
  | "worker"
  | "worker-threads"
  | "aarch64"
  | "replay-aarch64";

const builds = "ffi/proxy/build";
const native = `${builds}/${Deno.build.arch}`;

const sources = { path: "ffi/proxy" };
const fuzzed = {
  path: "ffi/proxy/test",
  only: ["fuzz.c", "fuzz_input.c", "fuzz_join.c", "fuzz_main.c", "fuzz_packet.c", "fuzz_table.c"],
};

const scripted = {
  path: "ffi/proxy/test",
  only: [
    "kernel.c",
    "kernel_options.c",
    "kernel_socket.c",
    "kernel_tun.c",
    "worker_main.c",
    "worker_script.c",
  ],
};

const strict = ["-std=gnu17", "-pthread", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Iffi/proxy"];
const shared = [...strict, "-O3", "-fPIC", "-shared"];
const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/** The library reads what anybody sends, as root. */
const hardened = ["-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now"];
/** What the scripted kernel answers instead of the real one. */
const wrapped = [
  ...["read", "writev", "ioctl", "fcntl", "poll", "clock_gettime", "close"],
  ...["recvmmsg", "sendmmsg", "sendto", "socket", "bind", "connect"],
  ...["getsockname", "getsockopt", "setsockopt"],
].map((call) => `-Wl,--wrap=${call}`);

const own = {
  compilers: () => {
    const chosen = Deno.env.get("CC");
    return chosen === undefined || chosen === "" ? ["cc", "gcc", "clang"] : [chosen];
  },
  packages: "gcc libc6-dev",
};
const cross = {
  compilers: () => ["aarch64-linux-gnu-gcc"],
  packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
};

export const variants: Readonly<Record<VariantName, Variant>> = {
  library: {
    ...own,
    output: `${native}/libflan_proxy.so`,
    flags: [...shared, ...hardened, "-fvisibility=hidden"],
    folders: [sources],
  },
  /** With every internal function in sight, and entry points that a foreign caller can use. */
  test: {
    ...own,
    output: `${native}/libflan_proxy_test.so`,
    flags: shared,
    folders: [sources, { path: "ffi/proxy/test", only: ["shim.c"] }],
  },
  fuzz: {
    ...own,
    output: `${native}/fuzz`,
    flags: [...strict, "-O1", "-g", ...sanitizers],
    folders: [sources, fuzzed],
  },
  /** The same program as it is optimized, to compare what it computes. */
  replay: { ...own, output: `${native}/replay`, flags: [...strict, "-O3"], folders: [sources, fuzzed] },
  /** The threads of the data plane with a scripted kernel. */
  worker: {
    ...own,
    output: `${native}/worker`,
    flags: [...strict, "-O1", "-g", ...sanitizers, ...wrapped],
    folders: [sources, scripted],
  },
  /** The same, watched for what they do at once without an order. */
  "worker-threads": {
    ...own,
    output: `${native}/worker-threads`,
    flags: [...strict, "-O1", "-g", "-fsanitize=thread", ...wrapped],
    folders: [sources, scripted],
  },
  aarch64: {
    ...cross,
    output: `${builds}/aarch64/libflan_proxy.so`,
    flags: [...shared, ...hardened, "-fvisibility=hidden"],
    folders: [sources],
  },
  /** Static, so that qemu-user needs no arm64 libraries. */
  "replay-aarch64": {
    ...cross,
    output: `${builds}/aarch64/replay`,
    flags: [...strict, "-O3", "-static"],
    folders: [sources, fuzzed],
  },
};
