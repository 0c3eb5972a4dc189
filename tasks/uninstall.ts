/**
 * Takes an installed flan away: `deno run -A tasks/uninstall.ts [--root DIR] [--prefix /usr/local] [--purge]`, with
 * `--purge` the settings and the state of this host too, unless it is in a network. Without `--purge` the network
 * stays as it is: `flan down` takes it away.
 */
import { readJoined } from "../agent/joined.ts";
import { isAgentThere } from "../agent/lock.ts";
import { settings } from "../cmd/settings.ts";
import { FlanError } from "../net/errors.ts";
import { cacheFolder, configFolder, stateFolder } from "./packaging/layout.ts";
import { readManifest, removeListed } from "./packaging/manifest.ts";
import { removeTree } from "./packaging/place.ts";
import { reloadUnits } from "./packaging/reload_units.ts";
import { runTask, taskFlags } from "./packaging/task.ts";

async function run(args: readonly string[]): Promise<string> {
  const { root, prefix, purge } = taskFlags(args, ["root", "prefix", "purge"]);
  const manifest = readManifest(prefix, root);
  // Settings and state may be those of a flan that is installed elsewhere, or runs from its sources.
  if (manifest === undefined) return `nothing is installed below ${root}${prefix}`;
  if (purge) refuseInNetwork(root);
  const gone = purge ? [cacheFolder, configFolder, stateFolder] : [cacheFolder];
  for (const folder of gone) removeTree(root + folder);
  removeListed(manifest, root);
  if (root === "") await reloadUnits();
  return `${root}${prefix}/bin/flan is gone${purge ? ", with settings and state" : ""}`;
}

/** A host in a network needs its state, and others may need its store. Throws FlanError `failed`. */
function refuseInNetwork(root: string): void {
  const runDir = root + settings.runDir.fallback;
  const why = isAgentThere(runDir)
    ? "an agent runs on this host"
    : readJoined(runDir) !== undefined
    ? "this host is in a network"
    : undefined;
  if (why === undefined) return;
  throw new FlanError(`Cannot remove ${root}${configFolder} and ${root}${stateFolder}: ${why}`, {
    op: "uninstall.purge",
    code: "failed",
    hint: "run flan down first, or leave --purge out",
  });
}

if (import.meta.main) {
  Deno.exit(await runTask("uninstall", () => run(Deno.args)));
}
