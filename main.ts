/** flan: joins Linux hosts into one flat network. This file is the command table and nothing more. */
import { Command, type CommandEntry, runLine, withoutSeparator } from "./cmd/cli.ts";
import { exit, exitCode, explain } from "./cmd/exit.ts";
import { summary, version } from "./cmd/version.ts";

/** Every command. Their modules are loaded when they are needed, so that `flan --help` is quick. */
export const commands: readonly CommandEntry[] = [
  { name: "up", summary: "Join the network and keep the kernel in step", load: () => import("./cmd/up.ts") },
  { name: "down", summary: "Leave: remove exactly what flan made", load: () => import("./cmd/down.ts") },
  { name: "status", summary: "Lease, store, peers, drift and health", load: () => import("./cmd/status.ts") },
  { name: "lease", summary: "Show and change who owns which subnet", load: () => import("./cmd/lease.ts") },
  { name: "routes", summary: "Show how peers are reached, and drift", load: () => import("./cmd/routes.ts") },
  { name: "ping", summary: "Reach peers over the data path", load: () => import("./cmd/ping.ts") },
  { name: "proxy", summary: "The data plane of backend udp", load: () => import("./cmd/proxy.ts") },
  {
    name: "store",
    summary: "Share, copy and check where the leases live",
    load: () => import("./cmd/store.ts"),
  },
  {
    name: "config",
    summary: "Show and check the settings and the network",
    load: () => import("./cmd/config_command.ts"),
  },
  {
    name: "doctor",
    summary: "What is missing or wrong on this host, and what mends it",
    load: () => import("./cmd/doctor.ts"),
  },
  {
    name: "demo",
    summary: "Several hosts on this machine, joined and shown",
    load: () => import("./cmd/demo.ts"),
  },
  {
    name: "completions",
    summary: "Completions for bash, zsh or fish",
    load: () => import("./cmd/completions.ts"),
  },
  { name: "man", summary: "The manual page flan(8)", load: () => import("./cmd/man.ts") },
  { name: "schema", summary: "JSON Schemas of the documents", load: () => import("./cmd/schema.ts") },
];

/** Runs one command line and resolves to its exit code. Nothing below this ends the process. */
export async function main(args: readonly string[]): Promise<number> {
  let code: Promise<number> = Promise.resolve(exit.done);
  const program = new Command("flan", summary)
    .addAfter(
      "Every command has its own --help. Exit codes: 0 done, 1 failed, 2 usage, 3 no,\n4 store unreachable, 5 not permitted or unsupported, 6 timed out.",
    );
  // Also behind options that stand before it: what is wrong with them only the command knows.
  const wanted = args.find((arg) => commands.some(({ name }) => name === arg));
  for (const entry of commands) {
    const known = entry.name === wanted ? await entry.load() : undefined;
    program.addCommand(
      known?.command((running) => (code = running, code.then(() => {})), commands) ??
        new Command(entry.name, entry.summary),
    );
  }
  try {
    await runLine(program, { words: asHelp(args) ?? withoutSeparator(args), version });
    return await code;
  } catch (error) {
    const text = explain(error);
    if (text !== "") console.error(text);
    return exitCode(error);
  }
}

/** `flan`, `flan help` and `flan help lease get` are what people try first. */
function asHelp(args: readonly string[]): string[] | undefined {
  if (args.length === 0) return ["--help"];
  return args[0] === "help" ? [...args.slice(1), "--help"] : undefined;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
