/** `flan routes`: how every peer is reached, and whether the kernel agrees. What each of it does is loaded with its use. */
import { type Command, newGroup, Option, type Runner } from "./cli.ts";
import { leaf, type Subcommand } from "./leaf.ts";
import { routeSettings as settings } from "./route_settings.ts";

export function command(run: Runner): Command {
  const summary = "How every peer is reached, and whether the kernel agrees";
  const all = [list, diff, explain, repair, watch].map(([spec, work]) => leaf(spec, run, work));
  return newGroup({ name: "routes", summary }, all);
}

const list: Subcommand = [{
  name: "list",
  summary: "Every peer, its subnet, how it is reached, and whether the kernel agrees",
  settings,
  formats: ["table", "wide", "json", "jsonl", "tsv", "commands", "value", "dot", "mermaid", "svg"],
}, async (call) => await (await import("./list_routes.ts")).listRoutes(call)];

const diff: Subcommand = [{
  name: "diff",
  summary: "What the kernel lacks and has too much; exits with 3 if anything",
  settings,
  formats: ["table", "json", "commands"],
}, async (call) => await (await import("./diff_routes.ts")).diffRoutes(call)];

const explain: Subcommand = [{
  name: "explain",
  summary: "The way of a packet to an address, hop by hop; exits with 3 if it is broken",
  args: [["<ip>", "where the packet goes"]],
  options: [
    new Option("--from <ip>", "where it comes from: a container of this host, or its own address"),
  ],
  settings,
  formats: ["table", "json"],
  after: "Each hop is ok, missing, wrong, foreign (somebody else's is in its place) or\n" +
    "skipped, with the command that shows it. Needs no root. Packet filters are not\n" +
    "looked at: flan doctor does that, and flan ping sends packets.",
  excessHint: "where the packet comes from is said by --from: flan routes explain TO --from IP",
}, async (call) => await (await import("./explain.ts")).explainRoute(call)];

const repair: Subcommand = [{
  name: "repair",
  summary: "Make the kernel as planned once, through the agent if one runs",
  args: [["[subnet]", "only what packets to this peer's subnet need"]],
  settings,
  formats: ["table", "json"],
  after: "Exits with 3 where something is left that somebody else has to mend.",
  elsewhere: { "--dry-run": "flan routes diff -o commands shows what it would do" },
}, async (call) => await (await import("./repair.ts")).repairRoutes(call)];

const watch: Subcommand = [{
  name: "watch",
  summary: "What changes, who changed it, and what flan repaired, until Ctrl-C",
  stays: true,
  settings,
  formats: ["table", "jsonl"],
  after: "Begins with what is wrong now. Of links and FDB entries the kernel does not\n" +
    "tell who changed them; what comes back as planned beside an agent is called\n" +
    "repaired. A program that has ended is named by its number. Needs no root.",
}, async (call) => await (await import("./watch_routes.ts")).watchRoutes(call)];
