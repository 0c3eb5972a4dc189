/** `flan store`: the place where the leases live. */
import { type AnyCommand, newGroup, type Runner } from "./cli.ts";
import { checkCommand } from "./store_check.ts";
import { exportCommand } from "./store_export.ts";
import { importCommand } from "./store_import.ts";
import { serveCommand } from "./store_serve.ts";

/** The first is what runs without a name, and so must be harmless. */
const parts: readonly ((run: Runner) => AnyCommand)[] = [
  checkCommand,
  exportCommand,
  importCommand,
  serveCommand,
];

export function command(run: Runner): AnyCommand {
  const summary = "Share, copy and check where the leases live";
  return newGroup({ name: "store", summary }, parts.map((part) => part(run)));
}
