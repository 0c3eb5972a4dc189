/** `flan proxy`: the process that carries the packets of backend udp. */
import { type Command, newGroup, type Runner } from "./cli.ts";
import { routesCommand } from "./proxy_routes.ts";
import { runCommand } from "./proxy_run.ts";
import { statsCommand } from "./proxy_stats.ts";
import { stopCommand } from "./proxy_stop.ts";

/** The first is what runs without a name, and so must be harmless. */
const parts: readonly ((run: Runner) => Command)[] = [
  routesCommand,
  statsCommand,
  runCommand,
  stopCommand,
];

export function command(run: Runner): Command {
  const summary = "The data plane of backend udp";
  return newGroup({ name: "proxy", summary }, parts.map((part) => part(run)));
}
