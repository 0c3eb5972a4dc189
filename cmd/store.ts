/** `flan store`: the place where the leases live. */
import { type AnyCommand, newGroup, type Runner } from "./cli.ts";
import { serveCommand } from "./store_serve.ts";

const parts: readonly ((run: Runner) => AnyCommand)[] = [serveCommand];

export function command(run: Runner): AnyCommand {
  const summary = "Share, copy and check where the leases live";
  return newGroup({ name: "store", summary }, parts.map((part) => part(run)));
}
