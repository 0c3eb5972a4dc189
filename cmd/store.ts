/** `flan store`: the place where the leases live. */
import { type Command, newGroup, type Runner } from "./cli.ts";
import { checkCommand } from "./store_check.ts";
import { exportCommand } from "./store_export.ts";
import { importCommand } from "./store_import.ts";
import { serveCommand } from "./store_serve.ts";

/** The first is what runs without a name, and so must be harmless. */
const parts: readonly ((run: Runner) => Command)[] = [
  checkCommand,
  exportCommand,
  importCommand,
  serveCommand,
];

export function command(run: Runner): Command {
  const summary = "Share, copy and check where the leases live";
  return newGroup({ name: "store", summary }, parts.map((part) => part(run)));
}
