/**
 * Takes an installed flan away: `deno run -A tasks/uninstall.ts [--root DIR] [--prefix /usr/local] [--purge]`, with
 * `--purge` the settings and the state of this host too. The network stays as it is: `flan down` takes it away.
 */
import { cacheFolder, configFolder, stateFolder } from "./packaging/layout.ts";
import { readManifest, removeListed } from "./packaging/manifest.ts";
import { reloadUnits } from "./packaging/reload_units.ts";
import { runTask, taskFlags } from "./packaging/task.ts";

async function run(args: readonly string[]): Promise<string> {
  const { root, prefix, purge } = taskFlags(args, ["root", "prefix", "purge"]);
  const manifest = readManifest(prefix, root);
  const gone = purge ? [cacheFolder, configFolder, stateFolder] : [cacheFolder];
  for (const folder of gone) removeTree(root + folder);
  if (manifest === undefined) return `nothing is installed below ${root}${prefix}`;
  removeListed(manifest, root);
  if (root === "") await reloadUnits();
  return `${root}${prefix}/bin/flan is gone${purge ? ", with settings and state" : ""}`;
}

function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

if (import.meta.main) {
  Deno.exit(await runTask("uninstall", () => run(Deno.args)));
}
