/**
 * All tests, in parts that need different surroundings, with one closing line: `N passed, N failed, N skipped`.
 * `deno task test [PART…]` runs some of the parts.
 */
import { writeGroups } from "./groups.ts";
import { narrow, type Part, wide } from "./parts.ts";

/** A part that hangs is a failure, and must not keep the others from being told. A busy machine takes its time. */
const PATIENCE_MS = 900_000;

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

type Tell = (text: string) => void;

/** Runs one part, hands its output on as it comes, and counts what `deno test` says at its end. */
async function run(part: Part, tell: Tell): Promise<Count> {
  tell(`\n== ${part.name}\n`);
  const into = Deno.makeTempDirSync({ prefix: "flan-test-groups-" });
  const grouped = part.grouped ?? { folders: [], count: 0 };
  try {
    return await runProgram(part, { files: writeGroups(grouped, { name: part.name, into }), tell });
  } finally {
    Deno.removeSync(into, { recursive: true });
  }
}

async function runProgram(
  { within, args }: Part,
  { files, tell }: { files: readonly string[]; tell: Tell },
): Promise<Count> {
  // stderr goes the way of stdout, so that they keep their order.
  const argv = ["-c", 'exec "$@" 2>&1', "sh", ...within, Deno.execPath(), ...args, ...files];
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

/** Reads `ok | 5 passed (2 steps) | 0 failed | 1 ignored (69ms)`. */
function countIn(text: string): Count | undefined {
  const line = text.split("\n").findLast((one) => /^(ok|FAILED) \| \d+ passed/.test(one));
  if (line === undefined) return undefined;
  const number = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
}

const write = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
};

/** Runs parts one after the other. */
async function runAll(
  parts: readonly Part[],
  { tell, told }: { tell: Tell; told: () => void },
): Promise<[Part, Count][]> {
  const done: [Part, Count][] = [];
  for (const part of parts) {
    done.push([part, await run(part, tell)]);
    told();
  }
  return done;
}

/** Runs both rows beside each other: the first on the terminal, the second as it is told between two of the first. */
async function runBeside(first: readonly Part[], second: readonly Part[]): Promise<[Part, Count][]> {
  let [output, whole] = ["", ""];
  let isLive = first.length > 0;
  const show = () => {
    write(whole);
    whole = "";
  };
  const secondTold = () => {
    [output, whole] = ["", whole + output];
    if (!isLive) show();
  };
  const firsts = runAll(first, { tell: write, told: show }).finally(() => isLive = false);
  const seconds = runAll(second, { tell: (text) => output += text, told: secondTold });
  return (await Promise.all([firsts, seconds])).flat();
}

const parts = [...wide, ...narrow];
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
const rows = [wide, narrow].map((row) => row.filter((part) => wanted.includes(part)));
for (const [part, count] of await runBeside(rows[0]!, rows[1]!)) {
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  if (count.failed > 0) broken.push(part.name);
}
if (broken.length > 0) console.log(`\nfailed in: ${broken.join(", ")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
Deno.exit(total.failed === 0 ? 0 : 1);
