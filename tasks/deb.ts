/**
 * Builds the Debian package: `deno run -A tasks/deb.ts [FOLDER]`, into `build/` unless a folder is given. The Deno
 * that runs this goes into it, and must be the one that flan is tested with. Exit 5 where a tool is missing.
 */
import { FlanError } from "../net/errors.ts";
import { rootFolder } from "../net/own_files.ts";
import { buildPackage } from "./packaging/debian.ts";
import { runTask } from "./packaging/task.ts";

/** The version that `bin/flan` asks npm for. */
async function pinned(): Promise<string> {
  const script = await Deno.readTextFile(`${rootFolder}bin/flan`);
  return /deno@([\d.]+)/.exec(script)![1]!;
}

async function run([folder = `${rootFolder}build`]: readonly string[]): Promise<string> {
  const wanted = await pinned();
  if (Deno.version.deno !== wanted) {
    throw new FlanError(`Cannot build the package with Deno ${Deno.version.deno}: ${wanted} goes into it`, {
      op: "deb",
      code: "invalid",
      hint: `npx --yes deno@${wanted} task deb`,
    });
  }
  await Deno.mkdir(folder, { recursive: true });
  return `${await buildPackage(folder)} is built`;
}

if (import.meta.main) Deno.exit(await runTask("deb", () => run(Deno.args)));
