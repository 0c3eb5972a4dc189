/** `flan status`: one screen about this host, from the agent, or from store and kernel where none runs. */
import { obstacles } from "../agent/health/readiness.ts";
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";
import { askStatus } from "./ask_status.ts";
import { type Command, integerFlag, Option, type Runner } from "./cli.ts";
import type { Context } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Format, print, printJson, terminalColumns, valueOf } from "./output.ts";
import { startHint } from "./rejoin.ts";
import { duration } from "./setting_types.ts";
import { screen, type Status } from "./status_screen.ts";

/** How often `--wait` asks; the agent itself does nothing for it. */
const ASK_MS = 100;

/** Null where the agent is still joining, undefined where none runs. */
type Answer = Status | null | undefined;

export function command(run: Runner): Command {
  return leaf(
    {
      name: "status",
      summary: "Lease, store, peers, drift and health of this host",
      options: [
        new Option("--wait", "wait until the network is ready and nothing is badly wrong"),
        new Option("--peers <number>", "with --wait: and until so many peers are reached (default 0)"),
        new Option("--timeout <duration>", "give up waiting then (default 60s)"),
      ],
      settings: [],
      formats: ["table", "json", "value"],
      after:
        "Exits with 3 where no agent runs or something is badly wrong, and with 6 when\nthe wait timed out.",
    },
    run,
    runStatus,
  );
}

async function runStatus({ context, format, flags }: Call): Promise<number> {
  const seconds = waitTime(String(flags["timeout"] ?? 60));
  const peers = integerFlag("--peers", String(flags["peers"] ?? 0), { min: 0, max: 1_000_000 });
  const status = flags["wait"] === true
    ? await waitUntilWell(context, { seconds, peers })
    : await askStatus(context);
  if (status == null && format.kind === "value") throw noStatus(status, context);
  show(format, status);
  if (status === undefined && format.kind === "table") console.error(`hint: ${startHint(context)}`);
  return status == null || !isWell(status) ? exit.no : exit.done;
}

function noStatus(status: null | undefined, context: Context): FlanError {
  const { settings } = context;
  const joining = status === null;
  const message = joining
    ? `The agent in ${settings.runDir} is still joining`
    : `No agent runs in ${settings.runDir}`;
  const hint = joining ? "flan status --wait waits for it" : startHint(context);
  return new FlanError(message, { op: "status", code: "no", hint });
}

/** Seconds from `60`, `60s` or `5m`. */
function waitTime(text: string): number {
  try {
    return duration(0)(text);
  } catch (error) {
    throw invalid("cli", `Cannot use --timeout ${quoted(text)}: ${messageOf(error)}`);
  }
}

async function waitUntilWell(
  context: Context,
  { seconds, peers }: { seconds: number; peers: number },
): Promise<Status> {
  const { clock } = context;
  const deadline = clock.monotonic() + seconds * 1000;
  while (true) {
    const status = await askStatus(context);
    if (status != null && isWell(status) && status.peers.planned >= peers) return status;
    if (clock.monotonic() >= deadline) {
      const codes = status?.problems.map((one) => one.code).join(", ") || `${status?.peers.planned} peers`;
      const missing = status === null ? "the agent is still joining" : "no agent runs";
      const why = status == null ? missing : codes;
      throw new FlanError(`The network is not ready after ${seconds} s: ${why}`, {
        op: "status",
        code: "timeout",
      });
    }
    await clock.sleep(ASK_MS);
  }
}

function isWell(status: Status): boolean {
  return obstacles(status).length === 0;
}

function show(format: Format, status: Answer): void {
  const document = status ?? { agent: { running: false, ...(status === null ? { joining: true } : {}) } };
  if (format.kind === "json") return printJson("status", document as Readonly<Record<string, Json>>);
  if (format.kind === "value") {
    return print(valueOf(document as Readonly<Record<string, Json>>, format.field));
  }
  if (status === null) return print("agent   still joining");
  print(status === undefined ? "agent   not running" : screen(status, terminalColumns()));
}
