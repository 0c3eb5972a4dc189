/** The parts of `deno task test`: what needs surroundings of its own, or leaves processors to others. */
import type { Grouped } from "./groups.ts";

export interface Part {
  readonly name: string;
  /** Run before the arguments of `deno`: the place the tests run in. */
  readonly within: readonly string[];
  /** Of `deno`. */
  readonly args: readonly string[];
  /** Test files that are run in groups. */
  readonly grouped?: Grouped;
}

const test = (
  paths: readonly string[],
  flags: readonly string[] = [],
) => ["test", "--quiet", "--allow-all", "--no-check", ...flags, ...paths];

/** Leaks of descriptors and of unfinished calls fail a test where FFI is at work. */
const sanitized = ["--sanitize-ops", "--sanitize-resources"];

/** They run one after the other, each on as many processors as it finds. */
export const wide: readonly Part[] = [
  { name: "format", within: [], args: ["fmt", "--check", "--quiet"] },
  { name: "lint", within: [], args: ["lint", "--quiet"] },
  {
    name: "architecture",
    within: [],
    args: test(["test/arch_test.ts", "test/readme_test.ts"]),
  },
  {
    name: "unit",
    within: [],
    args: test([], ["--parallel"]),
    grouped: {
      folders: [
        "test/net",
        "test/lib",
        "test/lease",
        "test/kernel",
        "test/backends",
        "test/control",
        "test/probe",
        "test/proxy",
        "test/wireguard",
        "test/ipsec",

        "test/hooks",
        "test/firewall",
        "test/agent",
        "test/doctor",
        "test/cmd",
        "test/bench",
        "test/soak",
      ],
      // Enough that no processor waits long for the last one.
      count: 12,
    },
  },
  {
    name: "packets",
    within: [],
    args: test([], ["--parallel"]),
    grouped: { folders: ["test/packets", "test/workers", "test/tasks"], count: 6 },
  },
  { name: "sim", within: [], args: test(["test/sim"], ["--parallel"]) },
  { name: "cli", within: [], args: test(["test/cli"], ["--parallel"]) },
  // They wait more than they work: five files at a time on any machine, and first those at whose end one would wait.
  {
    name: "netns",
    within: ["env", "DENO_JOBS=5"],
    args: test([
      "test/netns/wireguard_modes_test.ts",
      "test/netns/udp_full_test.ts",
      "test/netns/underlay_test.ts",
      "test/netns",
    ], ["--parallel"]),
  },
];

/** They run one after the other beside those, because each has work for about one processor. */
export const narrow: readonly Part[] = [
  { name: "types", within: [], args: ["check", "--quiet", "."] },
  // On a stock kernel in a virtual machine, for what this one may lack.
  {
    name: "vm",
    within: [],
    args: ["run", "--quiet", "--allow-all", "--no-check", "test/vm/run.ts", "test/vm"],
  },
  // A namespace of their own: these tests change links and routes in the one they run in.
  {
    name: "ffi",
    within: ["unshare", "--net"],
    args: test([], sanitized),
    // What watches the process's memory has a process as it is without other tests.
    grouped: { folders: ["test/ffi"], count: 1, apart: ["test/ffi/memory_test.ts"] },
  },
  {
    name: "gc",
    within: ["unshare", "--net"],
    args: test(["test/ffi/memory_test.ts"], [...sanitized, "--v8-flags=--expose-gc"]),
  },
  { name: "package", within: [], args: test(["test/package"]) },
  // With what the others leave of the processors.
  {
    name: "fuzz",
    within: ["nice", "-n", "19"],
    args: ["run", "--quiet", "--allow-all", "tasks/fuzz.ts"],
  },
];
