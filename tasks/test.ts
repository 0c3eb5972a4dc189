/**
 * All tests, in parts that need different surroundings, with one closing line: `N passed, N failed, N skipped`.
 * `deno task test [PART…]` runs some of the parts.
 */

interface Part {
  readonly name: string;
  /** Run before the arguments of `deno`: the place the tests run in. */
  readonly within: readonly string[];
  /** Of `deno`. */
  readonly args: readonly string[];
  /** The part that leaves it a processor: it runs meanwhile, after others beside it, and is shown afterwards. */
  readonly beside?: string;
}

const test = (
  paths: readonly string[],
  flags: readonly string[] = [],
) => ["test", "--quiet", "--allow-all", "--no-check", ...flags, ...paths];

/** Leaks of descriptors and of unfinished calls fail a test where FFI is at work. */
const sanitized = ["--sanitize-ops", "--sanitize-resources"];

const parts: readonly Part[] = [
  { name: "format", within: [], args: ["fmt", "--check", "--quiet"], beside: "types" },
  { name: "lint", within: [], args: ["lint", "--quiet"], beside: "types" },
  {
    name: "architecture",
    within: [],
    args: test(["test/arch_test.ts", "test/readme_test.ts"]),
    beside: "types",
  },
  // A namespace of their own: these tests change links and routes in the one they run in.
  {
    name: "ffi",
    within: ["unshare", "--net"],
    args: test(["test/ffi"], sanitized),
    beside: "types",
  },
  {
    name: "gc",
    within: ["unshare", "--net"],
    args: test(["test/ffi/memory_test.ts"], [...sanitized, "--v8-flags=--expose-gc"]),
    beside: "types",
  },
  // One thread, and about as long as what runs beside it.
  { name: "types", within: [], args: ["check", "--quiet", "."] },
  {
    name: "packets",
    within: [],
    args: test(["test/packets", "test/workers", "test/tasks"], ["--parallel"]),
    beside: "cli",
  },
  {
    name: "unit",
    within: [],
    args: test([
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
    ], ["--parallel"]),
  },
  { name: "sim", within: [], args: test(["test/sim"], ["--parallel"]) },
  { name: "cli", within: [], args: test(["test/cli"], ["--parallel"]) },
  // With what the others leave of the processors.
  {
    name: "fuzz",
    within: ["nice", "-n", "19"],
    args: ["run", "--quiet", "--allow-all", "tasks/fuzz.ts"],
    beside: "netns",
  },
  {
    name: "package",
    within: ["nice", "-n", "10"],
    args: test(["test/package"]),
    beside: "netns",
  },
  // On a stock kernel in a virtual machine, for what this one may lack.
  {
    name: "vm",
    within: ["nice", "-n", "10"],
    args: ["run", "--quiet", "--allow-all", "--no-check", "test/vm/run.ts", "test/vm"],
    beside: "netns",
  },
  // They wait more than they work: four files at a time on any machine.
  { name: "netns", within: ["env", "DENO_JOBS=4"], args: test(["test/netns"], ["--parallel"]) },
];

/** A part that hangs is a failure, and must not keep the others from being told. A busy machine takes its time. */
const PATIENCE_MS = 900_000;

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs one part, hands its output on as it comes, and counts what `deno test` says at its end. */
async function run(part: Part, tell: (text: string) => void): Promise<Count> {
  tell(`\n== ${part.name}\n`);
  // stderr goes the way of stdout, so that they keep their order.
  const argv = ["-c", 'exec "$@" 2>&1', "sh", ...part.within, Deno.execPath(), ...part.args];
  const child = new Deno.Command("sh", {
    args: argv,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).spawn();
  let text = "";
  for await (
    const chunk of child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
  ) {
    text += chunk;
    tell(chunk);
  }
  const { code } = await child.status;
  const count = countIn(text);
  // A part that fails without a count (formatting, types, a crash) is one failure; a check that passes is one test.
  if (count === undefined) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

const write = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
};

/** Runs a part with its output on the terminal, and meanwhile those beside it one by one; their output follows. */
async function runWith(part: Part, others: readonly Part[]): Promise<[Part, Count][]> {
  let output = "";
  const runOthers = async () => {
    const done: [Part, Count][] = [];
    for (const other of others) done.push([other, await run(other, (text) => output += text)]);
    return done;
  };
  const [count, done] = await Promise.all([run(part, write), runOthers()]);
  write(output);
  return [[part, count], ...done];
}

/** Reads `ok | 5 passed (2 steps) | 0 failed | 1 ignored (69ms)`. */
function countIn(text: string): Count | undefined {
  const line = text.split("\n").findLast((one) => /^(ok|FAILED) \| \d+ passed/.test(one));
  if (line === undefined) return undefined;
  const number = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
}

const wanted = Deno.args.length === 0 ? parts : parts.filter((part) => Deno.args.includes(part.name));
const unknown = Deno.args.filter((name) => !parts.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(
    `test: no part is called ${unknown.join(", ")}; there are ${parts.map((part) => part.name).join(", ")}`,
  );
  Deno.exit(2);
}
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const broken: string[] = [];
const hosts = wanted.filter(({ beside }) => !wanted.some(({ name }) => name === beside));
for (const host of hosts) {
  const others = wanted.filter(({ beside }) => beside === host.name);
  for (const [part, count] of await runWith(host, others)) {
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped += count.skipped;
    if (count.failed > 0) broken.push(part.name);
  }
}
if (broken.length > 0) console.log(`\nfailed in: ${broken.join(", ")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
Deno.exit(total.failed === 0 ? 0 : 1);
