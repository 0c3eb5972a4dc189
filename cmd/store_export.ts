/** `flan store export`: the whole network as one document. */
import { writeDurably } from "../lease/file/durable_file.ts";
import { exportedText } from "../lease/transfer.ts";
import { withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { AnyCommand, Runner } from "./cli.ts";
import { type Call, leaf } from "./leaf.ts";
import { print } from "./output.ts";

/** Like a backup of the store: it says where every host is reached, and keys of some backends. */
const MODE = 0o600;

export function exportCommand(run: Runner): AnyCommand {
  return leaf(
    {
      name: "export",
      summary: "The network with all its leases as one document",
      args: [["[file]", "written there, for its owner only; to stdout by default"]],
      settings: [],
      after: "Example, from one store into another:\n" +
        "  flan store export --store etcd://h1:2379/coreos.com/network |\n" +
        "    flan store import - --store file:/var/lib/flan/network.json",
    },
    run,
    exportStore,
  );
}

async function exportStore({ context, args: [file] }: Call): Promise<number> {
  const snapshot = await withStore(context, (store) => store.read({ expiries: true }));
  const text = exportedText(snapshot);
  if (file === undefined || file === "-") print(text.trimEnd());
  else await writeDurably(file, text, { mode: MODE });
  const { records, past, config } = snapshot;
  const network = config === undefined ? "no network config" : "the network config";
  const where = file === undefined || file === "-" ? "" : ` to ${file}`;
  context.log.log(
    "info",
    `Exported ${network}, ${records.length} leases and ${past.length} past ones${where}`,
  );
  return exit.done;
}
