/** The part `commands`: how soon the commands that only look have answered, on networks of several sizes. */
import { Lab } from "../../cmd/demo/lab.ts";
import { print, table } from "../../cmd/output.ts";
import { Installed } from "../lib/installed.ts";
import { writeStore } from "./converge.ts";
import { cells, columns, type Startup, startup } from "./startup.ts";

/** What a person may wait for, in milliseconds. */
const GOALS = [{ peers: 100, goal: 200 }, { peers: 10_000, goal: 1500 }] as const;
const COMMANDS = [
  ["status"],
  ["routes"],
  ["routes", "explain", "10.1.7.9"],
  ["doctor"],
  ["lease", "list"],
] as const;

export interface Answered {
  readonly peers: number;
  /** Milliseconds. */
  readonly goal: number;
  readonly commands: readonly Startup[];
}

/** Measures and prints; `tell` gets the table, too. */
export async function measureCommands(tell: (table: string) => void): Promise<Answered[]> {
  const results: Answered[] = [];
  using installed = await Installed.create();
  for (const { peers, goal } of GOALS) {
    results.push({ peers, goal, commands: await answers(peers, installed) });
  }
  const text = report(results);
  print("");
  print(text);
  tell(text);
  return results;
}

/** Beside an agent that runs. The store's other hosts are not there, so a severe problem is told: exit 3. */
async function answers(peers: number, installed: Installed): Promise<Startup[]> {
  const lab = await Lab.create({ name: `flan-bench-${Deno.pid}`, hosts: 1 });
  try {
    writeStore(`${lab.directory}/network.json`, peers);
    const { code, stderr } = await lab.flan(lab.hosts[0]!, ["up", "--detach"]);
    if (code !== 0) throw new Error(stderr);
    const found: Startup[] = [];
    for (const args of COMMANDS) found.push(await startup(lab, args, { installed, codes: [0, 3] }));
    return found;
  } finally {
    await lab.remove();
  }
}

function report(results: readonly Answered[]): string {
  const rows = results.flatMap(({ peers, goal, commands }) =>
    commands.map((one) => [
      `${peers}`,
      one.command,
      ...cells(one),
      `${goal} ms`,
      one.wall.median < goal ? "met" : "missed",
    ])
  );
  return table(["PEERS", "COMMAND", ...columns, "GOAL", ""], rows);
}
