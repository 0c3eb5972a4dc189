/**
 * flan's programs as an installation has them: few files with all modules and packages in them. What is imported where
 * it is needed is a file of its own, so that no command loads the others. The names of those files change with what is
 * in them, and an upgrade takes the old ones away: a process that runs long loads all that it needs at its start
 * (`stays` in `cmd/leaf.ts`).
 */
import { FlanError } from "../../net/errors.ts";
import { programs, rootFolder } from "../../net/own_files.ts";

export interface Bundle {
  /** Below the folder, sorted: each with its source map beside it, by which Deno names lines in a stack trace. */
  readonly files: readonly string[];
  /** Of the packages whose modules are in the programs: where it is to lie, and where it is. */
  readonly licences: readonly { readonly path: string; readonly file: string }[];
}

/** Source Map, revision 3 (ECMA-426), as far as it is changed here. */
interface SourceMap {
  readonly sources: readonly string[];
  readonly sourcesContent?: readonly string[];
}

/**
 * Bundles the programs into `folder`, which is empty. Packages are those of the project's lock file. Deno fetches
 * esbuild from npm where it has not done so before; `tasks/setup.ts` lets it. Throws FlanError `failed` with Deno's
 * words.
 */
export async function bundle(folder: string): Promise<Bundle> {
  // Not `--minify`: esbuild 0.25.5 then takes a `using` away whose value is read once, and files stay open. It is no quicker.
  const flags = ["--quiet", "--frozen", "--code-splitting", "--sourcemap", "linked"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", ...flags, "--outdir", `${folder}/bundle`, ...programs],
    cwd: rootFolder,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) {
    const why = new TextDecoder().decode(stderr).trim();
    throw new FlanError(`Cannot bundle flan's programs: ${why}`, {
      op: "install.bundle",
      code: "failed",
      hint: "deno task setup install",
    });
  }
  const files = filesBelow(folder, "bundle").sort();
  const maps = files.filter((file) => file.endsWith(".map"));
  const sources = await Promise.all(maps.map((map) => relocate(folder, map)));
  return { files, licences: licencesOf(sources.flat()) };
}

function filesBelow(folder: string, path: string): string[] {
  return [...Deno.readDirSync(`${folder}/${path}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(folder, `${path}/${name}`) : [`${path}/${name}`]
  );
}

/**
 * Lets a map name its sources as if they were installed too, wherever they were when they were bundled; their text
 * is not kept. Returns where they were.
 */
async function relocate(folder: string, map: string): Promise<string[]> {
  const path = `${folder}/${map}`;
  const { sources, sourcesContent: _, ...rest } = JSON.parse(await Deno.readTextFile(path)) as SourceMap;
  const paths = sources.map((source) => decodeURIComponent(new URL(source, `file://${path}`).pathname));
  const up = "../".repeat(map.split("/").length - 1);
  await Deno.writeTextFile(path, JSON.stringify({ ...rest, sources: paths.map((one) => up + nameOf(one)) }));
  return paths;
}

/** A module's path in the source tree; that of a package's, below `npm/`. */
function nameOf(path: string): string {
  const { name, folder } = packageOf(path) ?? {};
  if (folder !== undefined) return `npm/${name}${path.slice(folder.length)}`;
  return path.startsWith(rootFolder) ? path.slice(rootFolder.length) : path;
}

/** The package in Deno's cache that a file belongs to: `npm/REGISTRY/[@SCOPE/]NAME/VERSION/`. */
function packageOf(path: string): { name: string; folder: string } | undefined {
  const before = path.startsWith(rootFolder) ? rootFolder.length - 1 : 0;
  const [, folder, name] = /^(.*\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\/[^/]+)\//.exec(path.slice(before)) ?? [];
  if (folder === undefined || name === undefined) return undefined;
  return { name, folder: path.slice(0, before) + folder };
}

/**
 * The licences of the packages that these modules belong to. Throws FlanError `failed` for a package without one: what
 * nobody may hand on is not to be installed.
 */
export function licencesOf(paths: readonly string[]): { path: string; file: string }[] {
  const packages = new Map(paths.flatMap((path) => {
    const found = packageOf(path);
    return found === undefined ? [] : [[found.folder, found.name]];
  }));
  return [...packages].flatMap(([folder, name]) => {
    const files = [...Deno.readDirSync(folder)].filter((entry) => /^LICEN[CS]E/i.test(entry.name));
    if (files.length === 0) {
      throw new FlanError(`Cannot bundle package ${name}: no licence is in ${folder}`, {
        op: "install.bundle",
        code: "failed",
      });
    }
    return files.map((entry) => ({
      path: `licences/${name}/${entry.name}`,
      file: `${folder}/${entry.name}`,
    }));
  });
}
