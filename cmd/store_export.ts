/** `flan store export`: the whole network as one document. */
import { noNetwork } from "../agent/network.ts";
import { writeDurably } from "../lease/file/durable_file.ts";
import { exportedText } from "../lease/transfer.ts";
import { invalid, systemReason } from "../net/errors.ts";
import { withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { type Call, leaf } from "./leaf.ts";
import { print } from "./output.ts";

/** Like a backup of the store: it says where every host is reached, and keys of some backends. */
const MODE = 0o600;

export function exportCommand(run: Runner): Command {
  return leaf(
    {
      name: "export",
      summary: "The network with all its leases as one document",
      args: [["[file]", "written there, for its owner only; to stdout by default"]],
      options: [new Option("--force", "replace the file where it exists already")],
      settings: [],
      after: "Example, from one store into another:\n" +
        "  flan store export --store etcd://h1:2379/coreos.com/network |\n" +
        "    flan store import - --store file:/var/lib/flan/network.json",
    },
    run,
    exportStore,
  );
}

async function exportStore({ context, flags, args: [file = "-"] }: Call): Promise<number> {
  if (file !== "-") requireFree(file, { force: flags["force"] === true });
  const snapshot = await withStore(context, async (store) => {
    const snapshot = await store.read({ expiries: true });
    // A mistyped prefix would make a backup of nothing.
    if (snapshot.config === undefined) throw noNetwork(store.url);
    return snapshot;
  });
  const text = exportedText(snapshot);
  if (file === "-") print(text.trimEnd());
  else await writeDurably(file, text, { mode: MODE });
  const [leases, past] = [snapshot.records.length, snapshot.past.length];
  const where = file === "-" ? "" : ` to ${file}`;
  context.log.log("info", `Exported the network config, ${leases} leases and ${past} past ones${where}`);
  return exit.done;
}

/** Throws `invalid` where something is there already: it may be another backup, or the document of a live store. */
function requireFree(file: string, { force }: { force: boolean }): void {
  const refused = (why: string, hint?: string) =>
    invalid("store.export", `Cannot export to ${file}: ${why}`, hint);
  let there: Deno.FileInfo;
  try {
    there = Deno.lstatSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw refused(systemReason(error));
  }
  // Replacing a device or a pipe would take it away from everybody else.
  if (!there.isFile) throw refused("it is there already, and no file", "name another, or - for stdout");
  if (force) return;
  const written = there.mtime === null ? "" : ` written ${there.mtime.toISOString()}`;
  throw refused(
    `a file of ${there.size} bytes${written} is there already`,
    "add --force to replace it, or name another",
  );
}
