/** `flan ping`: reach peers over the data path, measured by the agents. */
import { askAgent } from "../agent/control.ts";
import { MAX_HOSTS, type NoPing, type Ping } from "../agent/probing/ping.ts";
import { FlanError, invalid } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { printable, quoted } from "../net/text.ts";
import { askStatus } from "./ask_status.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { type Context, socketOf } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Column, type Format, print, printFolded, printList, terminalColumns } from "./output.ts";
import { startHint } from "./rejoin.ts";
import { proxySettings } from "./proxy_client.ts";
import { matrix, type Measured, notes, shownTime } from "./ping_matrix.ts";

/** Far above what any measurement takes, another one before it included. */
const WITHIN_MS = 60_000;

export function command(run: Runner): Command {
  return leaf(
    {
      name: "ping",
      summary: "Reach peers over the data path: loss, round trips, path MTU",
      args: [["[host]", "a peer: its subnet, an address in it, its own address, or its node"]],
      options: [new Option("--all", "measure between all hosts, each ordered pair")],
      anywhere: true,
      settings: proxySettings,
      formats: ["table", "json", "jsonl", "tsv"],
      after: "Each direction is measured by the agent where it begins, in dual stack by each\n" +
        "family: an address or a subnet picks its own one. Cells of the matrix are\n" +
        "round trips in milliseconds. Exits with 3 where a pair loses all packets, or all\n" +
        "above some size, or where a host of flan did not measure; a few lost packets\n" +
        "are shown and exit with 0.",
    },
    run,
    runPing,
  );
}

async function runPing({ context, format, header, flags, args: [host] }: Call): Promise<number> {
  if ((host === undefined) !== (flags["all"] === true)) {
    const given = host === undefined ? "neither is given" : "both are given";
    throw invalid(
      "cli",
      `Cannot choose whom to ping: one peer or --all is needed, and ${given}`,
      "flan ping --all",
    );
  }
  const measured = await ask(context, host);
  show(measured, { format, header, all: host === undefined });
  if (!measured.ok) await tellOwn(context);
  return measured.ok ? exit.done : exit.no;
}

/** Who has no way out reaches nobody, and must not look for the fault at the others. */
async function tellOwn(context: Context): Promise<void> {
  const status = await askStatus(context);
  for (const { code, message, remedy } of status?.problems ?? []) {
    if (code !== "underlay-missing") continue;
    console.error(`flan: It is this host's own: ${code}  ${printable(message, 2000)}`);
    console.error(`hint: ${printable(remedy, 400)}`);
  }
}

async function ask(context: Context, host: string | undefined): Promise<Measured> {
  const { settings, clock } = context;
  const question = { op: "ping", to: host, clock, within: WITHIN_MS } as const;
  const answer = await askAgent(socketOf(settings), question) as Ping | null | undefined;
  if (answer == null) {
    const why = answer === null ? "is still joining" : "does not run";
    throw new FlanError(`Cannot ping: the agent in ${settings.runDir} ${why}`, {
      op: "ping",
      code: "no",
      hint: answer === null ? "flan status --wait waits for it" : startHint(context),
    });
  }
  if ("none" in answer) throw nothing(answer.none, host);
  return answer;
}

function nothing(none: NoPing, host: string | undefined): FlanError {
  const op = "ping";
  switch (none) {
    case "unknown-peer":
      return new FlanError(`Cannot ping ${quoted(host)}: no peer is called so`, {
        op,
        code: "no",
        hint: "flan routes lists them",
      });
    case "this-host":
      return new FlanError(`Cannot ping ${quoted(host)}: it is this host`, {
        op,
        code: "no",
        hint: "flan routes lists the peers",
      });
    case "no-lease":
      return new FlanError("Cannot ping: this host has no lease", {
        op,
        code: "failed",
        hint: "flan status",
      });
    case "not-carried":
      return new FlanError("Cannot ping: this network's packets are carried by others than flan", {
        op,
        code: "failed",
        hint: "ping a container of that host",
      });
    case "too-many":
      return new FlanError(`Cannot ping all: there are more than ${MAX_HOSTS} hosts`, {
        op,
        code: "failed",
        hint: "name one of them",
      });
    case "off":
      return new FlanError("Cannot ping: the agent does not measure", {
        op,
        code: "failed",
        hint: "flan status says whether --probe-port can be used; 0 turns it off",
      });
  }
}

type Pair = Measured["items"][number];

const columns: readonly Column<Pair>[] = [
  { name: "FROM", cell: ({ from }) => from },
  { name: "TO", cell: ({ to }) => to },
  { name: "STATE", cell: ({ state }) => state },
  { name: "LOST", cell: ({ sent, received }) => sent === null ? undefined : `${sent - received!}/${sent}` },
  { name: "RTT", cell: ({ rttMs }) => rttMs === null ? undefined : `${shownTime(rttMs.avg)} ms` },
  { name: "MTU", cell: ({ mtu }) => mtu ?? undefined },
  { name: "HOW", cell: ({ how }) => how ?? undefined },
];

const tsv: readonly Column<Pair>[] = [
  ...columns.slice(0, 3),
  { name: "SENT", cell: ({ sent }) => sent ?? undefined },
  { name: "RECEIVED", cell: ({ received }) => received ?? undefined },
  { name: "ARRIVED", cell: ({ arrived }) => arrived ?? undefined },
  { name: "RTT-MS", cell: ({ rttMs }) => rttMs?.avg },
  ...columns.slice(5),
  { name: "TOO-LARGE", cell: ({ tooLarge }) => tooLarge ?? undefined },
  { name: "CODE", cell: ({ code }) => code ?? undefined },
];

function show(
  measured: Measured,
  { format, header, all }: { format: Format; header: boolean; all: boolean },
) {
  const isTable = format.kind === "table";
  const square = isTable && all && measured.items.length > 0
    ? matrix(measured, terminalColumns())
    : undefined;
  const { items, ...extra } = measured;
  if (square !== undefined) print(square);
  else {
    printList(format, {
      schema: "ping",
      items,
      columns,
      tsv,
      json: (pair) => pair as unknown as Readonly<Record<string, Json>>,
      empty: "no peers",
      extra: extra as unknown as Readonly<Record<string, Json>>,
    }, header);
  }
  const below = notes(measured);
  if (isTable && below.length > 0) printFolded(below.join("\n"));
}
