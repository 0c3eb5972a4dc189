/** `flan up`: join the network, and keep the kernel in step with it. */
import type { Agent } from "../agent/agent.ts";
import { requireNetAdmin } from "../agent/capability.ts";
import { serveControl } from "../agent/control.ts";
import { requireOutside } from "../agent/network.ts";
import { findUnderlay } from "../agent/underlay.ts";
import { writeJoined } from "../agent/joined.ts";
import { makeRunDir, tryLockAgent } from "../agent/lock.ts";
import { wireAgent } from "../agent/wire.ts";
import { ensureNetwork } from "../lease/manager.ts";
import { parseNetworkConfig } from "../lease/network.ts";
import { backendFor } from "../backends/registry.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { type AnyCommand, Option, type Runner } from "./cli.ts";
import {
  type Context,
  socketOf,
  subnetFileOf,
  withKernel,
  withStore,
} from "./context.ts";
import { detach, tellReady } from "./detach.ts";
import { dryRun } from "./dry_run.ts";
import { exit } from "./exit.ts";
import { ownLease, statusOf } from "../agent/status.ts";
import { printOwnLease, requireField } from "./own_lease.ts";
import { requireAgreement, startingConfig } from "./network_settings.ts";
import { type Call, leaf } from "./leaf.ts";
import type { Format } from "./output.ts";
import { invalid } from "../net/errors.ts";
import { alreadyRunning, joinedWith } from "./running.ts";

export function command(run: Runner): AnyCommand {
  return leaf(
    {
      name: "up",
      joins: true,
      summary: "Join the network and keep the kernel in step",
      options: [
        new Option("--once", "configure, print the lease and exit").conflicts(
          "detach",
        ),
        new Option(
          "--detach",
          "return when the network is ready; the agent goes on in the background",
        ),
        new Option("--detached", "this is the agent that --detach waits for")
          .hideHelp(),
        new Option("--dry-run", "print what would be done and touch nothing")
          .conflicts(["once", "detach"]),
      ],
      formats: ["table", "json", "env", "value", "commands"],
      after:
        "Examples:\n  flan up --backend vxlan\n  flan up --detach --iface eth1 --network 10.50.0.0/16",
    },
    run,
    runUp,
  );
}

async function runUp({ context, format, flags }: Call): Promise<number> {
  if (flags["dryRun"] === true) return await dryRun(context, format);
  if (format.kind === "commands") {
    throw invalid(
      "cli",
      'Cannot print format "commands": it goes with --dry-run only',
    );
  }
  requireField(format);
  requireNetAdmin("set up the network");
  makeRunDir(context.settings.runDir);
  const lock = tryLockAgent(context.settings.runDir);
  if (lock === undefined) return await alreadyRunning(context, format);
  if (flags["detach"] === true) {
    lock.release();
    return await detach(context, Deno.args);
  }
  try {
    return await joinAndKeep(context, {
      format,
      once: flags["once"] === true,
      detached: flags["detached"] === true,
    });
  } finally {
    lock.release();
  }
}

async function joinAndKeep(
  context: Context,
  { format, once, detached }: {
    format: Format;
    once: boolean;
    detached: boolean;
  },
): Promise<number> {
  const { settings, clock, log } = context;
  await startNetwork(context);
  const wired = await wireAgent(
    { ...settings, ...subnetFileOf(settings) },
    context,
  );
  const signals = listenForSignals();
  try {
    const lease = await wired.agent.join();
    await writeJoined(settings.runDir, joinedWith(settings, wired.agent.state));
    printOwnLease(format, ownLease({ ...wired.agent.state, lease }));
    if (once) return exit.done;
    log.log("info", "Ready", {
      subnet: lease.subnet,
      peers: wired.agent.state.view.peers.length,
    });
    if (detached) tellReady();
    const stopping = new AbortController();
    const control = serveControl(socketOf(settings), {
      clock,
      signal: stopping.signal,
      answer: (request) =>
        Promise.resolve(
          answer(wired.agent, context, {
            request: request.op,
            stop: () => signals.stop(exit.done),
          }),
        ),
    });
    const running = wired.agent.run(stopping.signal);
    const code = await Promise.race([
      signals.stopped,
      running.then(() => exit.failed),
    ]);
    stopping.abort();
    await Promise.all([running, control]);
    log.log(
      "info",
      "Stopped; the network stays as it is, `flan down` takes it away",
    );
    return code;
  } finally {
    signals.close();
    wired.close();
  }
}

/** Starts the network where the store holds none; otherwise holds the settings against the one that is there. */
async function startNetwork(context: Context): Promise<void> {
  const { settings, log } = context;
  await withStore(context, (store) =>
    withKernel(context, async (kernel) => {
      const objects = await kernel.dump({ links: [], sysctls: [] });
      const { iface: wishes = [], publicIp } = settings;
      const underlay = await findUnderlay(kernel, {
        objects,
        wishes,
        publicIp,
      });
      const wanted = startingConfig(context, objects);
      // A network that this version cannot serve must not be started either.
      const planned = parseNetworkConfig(wanted);
      backendFor(planned.backendType).check(planned);
      requireOutside(planned, underlay);
      const { config, started } = await ensureNetwork(store, wanted);
      const network = parseNetworkConfig(config.value);
      if (started) {
        log.log(
          "info",
          `Started network ${
            formatCidr(network.network)
          } with backend ${network.backendType} in ${store.url}`,
        );
        return;
      }
      requireAgreement(context, network, store.url);
      requireOutside(network, underlay);
    }));
}

function answer(
  agent: Agent,
  context: Context,
  { request, stop }: { request: string; stop: () => void },
): Json {
  switch (request) {
    case "stop":
      stop();
      return { pid: Deno.pid };
    default:
      return statusOf(agent, {
        pid: Deno.pid,
        store: context.settings.store,
        now: context.clock.now(),
      });
  }
}

/** SIGINT and SIGTERM end the agent and leave the network as it is; so does a `stop` over the socket. */
function listenForSignals() {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  const handlers = {
    SIGINT: () => stop(exit.interrupted),
    SIGTERM: () => stop(exit.terminated),
  };
  for (const [name, handler] of Object.entries(handlers)) {
    Deno.addSignalListener(name as Deno.Signal, handler);
  }
  return {
    stopped,
    stop,
    close() {
      for (const [name, handler] of Object.entries(handlers)) {
        Deno.removeSignalListener(name as Deno.Signal, handler);
      }
    },
  };
}
