/** `flan up`: join the network, and keep the kernel in step with it. */
import type { Agent } from "../agent/agent.ts";
import { raiseBarriers } from "../agent/barriers.ts";
import { requireNetAdmin } from "../agent/capability.ts";
import { joinedOver, readJoined, writeJoined } from "../agent/joined.ts";
import { makeRunDir } from "../agent/lock.ts";
import { statusLine } from "../agent/status_line.ts";
import { ownLease } from "../agent/status.ts";
import { openGround, wireAgent } from "../agent/wire.ts";
import { secretInClear } from "../lease/remote/in_clear.ts";
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { type Context, mayRunHooks, storeOptions, subnetFileOf } from "./context.ts";
import { detach, tellReady } from "./detach.ts";
import { openDoors } from "./doors.ts";
import { dryRun } from "./dry_run.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { openNotifier } from "./notifier.ts";
import type { Format } from "./output.ts";
import { printOwnLease, requireField } from "./own_lease.ts";
import { proxyPlace } from "./proxy_place.ts";
import { differencesToJoined } from "./rejoin.ts";
import { alreadyRunning, joinedWith, lockOrRunning } from "./running.ts";
import { listenForSignals } from "./signals.ts";
import { credentialsOf } from "./settings.ts";
import { startNetwork } from "./start_network.ts";

export function command(run: Runner): Command {
  return leaf(
    {
      name: "up",
      follows: "network",
      stays: true,
      summary: "Join the network and keep the kernel in step",
      options: [
        new Option("--once", "configure, print the lease and exit").conflicts("detach"),
        new Option("--detach", "return when the network is ready; the agent goes on in the background"),
        new Option("--detached", "this is the agent that --detach waits for").hideHelp(),
        new Option("--dry-run", "print what would be done and touch nothing").conflicts(["once", "detach"]),
        new Option("--allow-overlap", "join a network that overlaps routes and addresses of this host"),
      ],
      formats: ["table", "json", "env", "value", "commands"],
      after: "Examples:\n  flan up --backend vxlan\n  flan up --detach --iface eth1 --network 10.50.0.0/16",
    },
    run,
    runUp,
  );
}

async function runUp({ context, format, flags }: Call): Promise<number> {
  const allowOverlap = flags["allowOverlap"] === true;
  if (flags["dryRun"] === true) return await dryRun(context, { format, allowOverlap });
  if (format.kind === "commands") {
    throw invalid("cli", 'Cannot print format "commands": it goes with --dry-run only');
  }
  requireField(format);
  requireNetAdmin("set up the network");
  makeRunDir(context.settings.runDir);
  const { lock, running } = await lockOrRunning(context);
  if (running !== undefined) return alreadyRunning(context, { format, running });
  if (flags["detach"] === true) {
    lock.release();
    return await detach(context, Deno.args);
  }
  try {
    return await joinAndKeep(context, {
      format,
      once: flags["once"] === true,
      detached: flags["detached"] === true,
      allowOverlap,
    });
  } finally {
    lock.release();
  }
}

interface How {
  readonly format: Format;
  readonly once: boolean;
  readonly detached: boolean;
  readonly allowOverlap: boolean;
}

/** Whatever ends the agent stands in its log too: stderr of a detached one has nobody who reads. */
async function joinAndKeep(context: Context, how: How): Promise<number> {
  const { settings, clock, log } = context;
  const notifier = how.once ? undefined : openNotifier(context);
  const signals = listenForSignals();
  const stopping = new AbortController();
  let agent: Agent | undefined;
  let doors: Promise<void> = Promise.resolve();
  try {
    // First of all: a host whose agent could not be asked or stopped must not join.
    if (!how.once) {
      doors = openDoors(context, { agent: () => agent, signals, signal: stopping.signal });
      doors.catch(() => {}); // awaited below
    }
    notifier?.joining();
    const ground = await openGround(settings.store, {
      ...storeOptions(context),
      stateDir: settings.stateDir,
      proxy: proxyPlace(context),
      runsHooks: mayRunHooks(context),
    });
    warnOfClear(context);
    warnOfOthers(context);
    try {
      // Before anybody asks the store, which may be away for long.
      await raiseBarriers(ground, { stateDir: settings.stateDir, log });
      const early = await Promise.race([
        startNetwork(context, ground, how).then(() => undefined),
        signals.stopped,
      ]);
      if (early !== undefined) return early;
      const options = { ...settings, ...subnetFileOf(settings), former: joinedOver(settings.runDir) };
      const { probePort } = settings;
      const moved = () => agent && void rewriteJoined(context, agent);
      const joining = await wireAgent(ground, { options, clock, log, watcher: notifier, moved, probePort });
      const joined = joining.join();
      joined.catch(() => {}); // awaited, unless a signal ends the process before
      const lease = await Promise.race([joined, signals.stopped]);
      if (typeof lease === "number") return lease;
      await writeJoined(settings.runDir, { ...joinedWith(settings, joining.state), once: how.once });
      agent = joining;
      sayJoined(how, ownLease({ ...agent.state, lease }));
      if (how.once) return exit.done;
      log.log("info", "Ready", { subnet: lease.subnet, peers: agent.state.view.peers.length });
      notifier?.ready(() => statusLine(joining));
      if (how.detached) bearClosedPipe(tellReady);
      const running = agent.run(stopping.signal);
      const ended = Promise.race([running, doors]).then(() => exit.failed);
      const code = await Promise.race([signals.stopped, ended]);
      notifier?.stopping();
      stopping.abort();
      await Promise.all([running, doors]);
      log.log("info", "Stopped; the network stays as it is, `flan down` takes it away");
      return code;
    } finally {
      ground.close();
    }
  } catch (error) {
    if (settings.logFile !== undefined) log.log("error", `The agent ends: ${traceOf(error)}`);
    throw error;
  } finally {
    stopping.abort();
    signals.close();
    await doors.catch(() => {});
  }
}

/** The other commands go by the link that stands there. */
async function rewriteJoined({ settings, log }: Context, agent: Agent): Promise<void> {
  try {
    await writeJoined(settings.runDir, joinedWith(settings, agent.state));
  } catch (error) {
    log.log("warning", `Other commands do not know which link carries the overlay now: ${messageOf(error)}`);
  }
}

/** What was a flag of the agent before goes with it, and the table or the pages that it made go, too. */
function warnOfOthers(context: Context): void {
  const former = readJoined(context.settings.runDir);
  const { log, settings } = context;
  for (const sentence of former === undefined ? [] : differencesToJoined(context, former)) {
    log.log("warning", sentence);
    if (settings.logFile !== undefined) console.error(`flan: ${sentence}`);
  }
}

/** The agent's log says it once; other commands only use what the agent uses, and `flan store check` tells it, too. */
function warnOfClear({ settings, log }: Context): void {
  const clear = secretInClear(settings.store, credentialsOf(settings));
  if (clear !== undefined) log.log("warning", `${clear.message}; ${clear.hint}`, { code: clear.code });
}

/** The `flan up --detach` that waited may have been interrupted; the network works, and its agent stays. */
function sayJoined({ format, detached }: How, lease: ReturnType<typeof ownLease>): void {
  const say = () => printOwnLease(format, lease);
  if (detached) bearClosedPipe(say);
  else say();
}

function bearClosedPipe(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function traceOf(error: unknown): string {
  return error instanceof Error && !(error instanceof FlanError)
    ? error.stack ?? error.message
    : messageOf(error);
}
