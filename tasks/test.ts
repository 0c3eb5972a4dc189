/**
 * All tests, in parts that need different surroundings, with one closing line: `N passed, N failed, N skipped`.
 * `deno task test [PART…]` runs some of the parts.
 */
import { Beside } from "./beside.ts";
import { narrow, wide } from "./parts.ts";
import { type Count, interrupt, runPart } from "./run_part.ts";

const write = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
};

const parts = [...wide, ...narrow];
const wanted = Deno.args.length === 0 ? parts : parts.filter((part) => Deno.args.includes(part.name));
const unknown = Deno.args.filter((name) => !parts.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(
    `test: no part is called ${unknown.join(", ")}; there are ${parts.map((part) => part.name).join(", ")}`,
  );
  Deno.exit(2);
}
const beside = new Beside(write);
for (const [signal, code] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.addSignalListener(signal, () => {
    interrupt(signal);
    beside.flush();
    Deno.exit(code);
  });
}
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const broken: string[] = [];
const [first, second] = [wide, narrow].map((row) => row.filter((part) => wanted.includes(part)));
const counts = await beside.run(
  { first: first!, second: second! },
  async (part, tell) => [part, await runPart(part, { tell })] as const,
);
for (const [part, count] of counts) {
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  if (count.failed > 0) broken.push(part.name);
}
if (broken.length > 0) console.log(`\nfailed in: ${broken.join(", ")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
Deno.exit(total.failed === 0 ? 0 : 1);
