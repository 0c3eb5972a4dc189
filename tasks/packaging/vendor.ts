/**
 * The npm packages that flan imports, as a folder that lies beside its modules: an installed flan asks neither the
 * network nor anybody's home directory for them.
 */
import { FlanError } from "../../net/errors.ts";
import { project } from "./runtime.ts";

/** What of the project's `deno.json` is an installed flan's too. */
interface Settings {
  readonly imports: Readonly<Record<string, string>>;
  readonly unstable: readonly string[];
}

/** What is executed, and what its authors want to go with it; not their documentation and type declarations. */
const kept = /(\.[cm]?js|\/package\.json|\/LICEN[CS]E[^/]*)$/;

/**
 * Fills `folder`, which is empty, with `node_modules` and a `deno.json` that finds the packages there. Returns the
 * files that are needed, below `folder` and sorted. `imports` names entries of the project's import map. The
 * packages are those of the project's lock file, from Deno's cache or, where they are not there, from npm. Throws
 * FlanError `failed` with Deno's words.
 */
export async function vendor(folder: string, imports: readonly string[]): Promise<string[]> {
  const { imports: all, unstable } = JSON.parse(await Deno.readTextFile(`${project}deno.json`)) as Settings;
  const used = Object.entries(all).filter(([name]) => imports.includes(name));
  const settings = { imports: Object.fromEntries(used), nodeModulesDir: "manual", unstable };
  await Deno.writeTextFile(`${folder}/deno.json`, `${JSON.stringify(settings, undefined, 2)}\n`);
  await Deno.copyFile(`${project}deno.lock`, `${folder}/deno.lock`);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    // Without links between packages: what is copied is files only.
    args: ["install", "--quiet", "--node-modules-linker=hoisted"],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) {
    const why = new TextDecoder().decode(stderr).trim();
    throw new FlanError(`Cannot put flan's packages together: ${why}`, {
      op: "install.vendor",
      code: "failed",
    });
  }
  return ["deno.json", ...filesBelow(folder, "node_modules")].sort();
}

function filesBelow(folder: string, path: string): string[] {
  return [...Deno.readDirSync(`${folder}/${path}`)].flatMap(({ name, isDirectory, isFile }) => {
    const below = `${path}/${name}`;
    // Deno's own notes, and programs that nobody here runs.
    if (name.startsWith(".") || name === "bin") return [];
    if (isDirectory) return filesBelow(folder, below);
    return isFile && kept.test(below) ? [below] : [];
  });
}
