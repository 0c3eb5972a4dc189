/**
 * Fuzzes the C library's packet functions under sanitizers: `deno run -A tasks/fuzz.ts [SECONDS [SEED] | FILE]`, for
 * 60 seconds where it is not said. First come the inputs that once broke something, in `fixtures/fuzz-finds`; one
 * that breaks something now is kept there. With a FILE only that one is tried. Exit 1 where something broke.
 */
import { build, BuildError } from "./build.ts";

const finds = "fixtures/fuzz-finds";
const root = decodeURIComponent(new URL(import.meta.resolve("../")).pathname);

async function run(program: string, args: readonly string[]): Promise<boolean> {
  return (await new Deno.Command(program, { args: [...args], cwd: root, stdin: "null" }).spawn().status)
    .success;
}

/** The inputs that were kept, in the order of their names. */
function kept(): string[] {
  try {
    return [...Deno.readDirSync(root + finds)].map(({ name }) => `${finds}/${name}`).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function main([first = "60", seed]: readonly string[]): Promise<number> {
  const { path } = await build("fuzz");
  const isTime = /^\d+$/.test(first);
  const known = isTime ? kept() : [decodeURIComponent(new URL(first, `file://${Deno.cwd()}/`).pathname)];
  for (const file of known) {
    if (await run(path, ["replay", file])) continue;
    console.log(`fuzz: ${file} breaks something; again with: deno task fuzz ${file}`);
    return 1;
  }
  console.log(`fuzz: ${known.length} kept inputs break nothing`);
  if (!isTime) return 0;
  seed ??= String(crypto.getRandomValues(new Uint32Array(1))[0]);
  if (await run(path, ["run", first, seed, finds, "fixtures/packets"])) return 0;
  console.log("fuzz: something broke; again with: deno task fuzz FILE, which is the one kept above");
  return 1;
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`fuzz: ${error.message}`);
  Deno.exit(error.exitCode);
}
