/**
 * Builds the C library of the udp backend: `deno run -A tasks/build.ts [VARIANT…]`. Says in one line what it did,
 * on stderr. Exit 5 where no compiler is there, 1 with the compiler's words where it refuses.
 */
import { type Variant, type VariantName, variants } from "./variants.ts";

const project = decodeURIComponent(new URL(import.meta.resolve("../")).pathname);

export class BuildError extends Error {
  constructor(message: string, readonly exitCode: number) {
    super(message);
    this.name = "BuildError";
  }
}

export interface Built {
  /** Absolute. */
  readonly path: string;
  /** One line of what was done. */
  readonly told: string;
}

/**
 * Builds a variant below `root` where its sources, flags or compiler are others than last time. A process that has
 * the old file open keeps it. May run in many processes at once: one builds, the others wait. Throws BuildError.
 */
export async function build(name: VariantName, root = project): Promise<Built> {
  const variant = { ...variants[name], root };
  const path = root + variant.output;
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  using lock = await Deno.open(`${path}.lock`, { create: true, write: true });
  await lock.lock(true);
  const compiler = await findCompiler(variant);
  const stamp = await stampOf(variant, compiler.version);
  if (await textOf(`${path}.stamp`) === stamp && await sizeOf(path) > 0) {
    return { path, told: `${variant.output} is up to date` };
  }
  const began = performance.now();
  await compile(compiler, variant);
  await Deno.writeTextFile(`${path}.stamp`, stamp);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  return { path, told: `compiled ${variant.output} with ${compiler.program} in ${seconds} s` };
}

interface Rooted extends Variant {
  /** With a slash at its end. */
  readonly root: string;
}

interface Compiler {
  readonly program: string;
  /** Its first arguments. */
  readonly before: readonly string[];
  readonly version: string;
}

/** The first compiler that runs, with what it says of its version. */
async function findCompiler({ compilers, packages }: Variant): Promise<Compiler> {
  for (const command of compilers()) {
    // CC may name a wrapper with what it wraps, as make has it: `ccache gcc`.
    const [program, ...before] = command.split(" ").filter(Boolean) as [string, ...string[]];
    try {
      const asked = new Deno.Command(program, { args: [...before, "--version"], stderr: "null" });
      const { success, stdout } = await asked.output();
      if (success) return { program, before, version: new TextDecoder().decode(stdout) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
        throw error;
      }
    }
  }
  throw new BuildError(
    `no C compiler is here (tried ${compilers().join(", ")}), please run: apt-get install ${packages}`,
    5,
  );
}

/** What the variant is made from, in a fixed order, so that one tree always builds the same. */
function sourcesOf({ root, folders }: Rooted): string[] {
  return folders.flatMap((folder) =>
    [...Deno.readDirSync(root + folder.path)].map((entry) => entry.name)
      .filter((name) => name.endsWith(".c") && (folder.only?.includes(name) ?? true))
      .sort().map((name) => `${folder.path}/${name}`)
  );
}

/** Headers change what comes out, though the compiler is not told of them. */
function headersOf({ root, folders }: Rooted): string[] {
  return folders.flatMap(({ path }) =>
    [...Deno.readDirSync(root + path)].map((entry) => entry.name).filter((name) => name.endsWith(".h"))
      .sort().map((name) => `${path}/${name}`)
  );
}

async function stampOf(variant: Rooted, version: string): Promise<string> {
  const parts = [version, ...variant.flags];
  for (const file of [...sourcesOf(variant), ...headersOf(variant)]) {
    parts.push(file, await Deno.readTextFile(variant.root + file));
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\0")));
  return `${new Uint8Array(digest).toHex()}\n`;
}

async function compile({ program, before }: Compiler, variant: Rooted): Promise<void> {
  const path = variant.root + variant.output;
  const temporary = `${path}.new`;
  const args = [...before, ...variant.flags, "-o", temporary, ...sourcesOf(variant)];
  const { success, stderr } = await new Deno.Command(program, { args, cwd: variant.root, stdout: "null" })
    .output();
  if (!success) {
    throw new BuildError(`${program} refuses:\n${new TextDecoder().decode(stderr).trimEnd()}`, 1);
  }
  await Deno.rename(temporary, path);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(variants, name));
  if (unknown.length > 0) {
    console.error(
      `build: no variant is called ${unknown.join(", ")}; there are ${Object.keys(variants).join(", ")}`,
    );
    return 2;
  }
  for (const name of names as readonly VariantName[]) {
    try {
      console.error(`build: ${(await build(name)).told}`);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      console.error(`build: ${error.message}`);
      return error.exitCode;
    }
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args.length === 0 ? ["library"] : Deno.args));
