/** `flan proxy run`: the data plane of backend udp, until it is stopped. */
import { requireNetAdmin } from "../agent/capability.ts";
import { makeRunDir } from "../agent/lock.ts";
import { type Lock, lockHolder, lockWithin } from "../control/lock.ts";
import { serve } from "../control/serve.ts";
import {
  counterNames,
  openProxy,
  type ProxyFeature,
  proxyFeatures,
  requireProxyLibrary,
} from "../ffi/proxy.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { quoted } from "../net/text.ts";
import { MAX_REQUEST } from "../proxy/protocol.ts";
import { ProxyServer } from "../proxy/server.ts";
import { tellStarted } from "../proxy/start.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import type { Context } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { proxyOf } from "./proxy_client.ts";
import { listenForSignals } from "./signals.ts";
import { version } from "./version.ts";

const LOOK_MS = 200;

export function runCommand(run: Runner): Command {
  return leaf(
    {
      name: "run",
      summary: "Run the proxy in the foreground; flan up does it by itself",
      follows: "nothing",
      anywhere: true,
      stays: true,
      options: [
        new Option("--detached", "somebody waits until it can be asked").hideHelp(),
        new Option("--features <list>", "what may make it fast, separated by commas").hideHelp(),
      ],
      settings: ["runDir", "logFile", "logFormat", "quiet", "verbose"],
      after: "It carries nothing until an agent tells it what, and goes on when that agent\n" +
        "ends. SIGTERM and flan proxy stop end it.",
    },
    run,
    runProxy,
  );
}

async function runProxy({ context, flags }: Call): Promise<number> {
  const tell = flags["detached"] === true ? tellStarted : () => {};
  try {
    const features = featuresIn(flags["features"]);
    const lock = await begin(context);
    try {
      return await serveUntilStopped(context, { tell, features });
    } finally {
      lock.release();
    }
  } catch (error) {
    tell(error);
    throw error;
  }
}

/** Throws what keeps a proxy from running here, before anything is begun. */
async function begin(context: Context): Promise<Lock> {
  requireNetAdmin("carry packets");
  requireProxyLibrary();
  const { runDir } = context.settings;
  makeRunDir(runDir);
  const path = proxyOf(context).lock;
  // Whoever looks at the lock may have it for a moment.
  const lock = await lockWithin(path, { ms: LOOK_MS, clock: context.clock });
  if (lock !== undefined) return lock;
  throw new FlanError(`A UDP proxy runs in ${runDir} already (process ${lockHolder(path) ?? "unknown"})`, {
    op: "proxy.run",
    code: "failed",
    hint: "flan proxy stop ends it",
  });
}

/** Those that are named; all of them where nobody says. Throws `invalid` for one that there is not. */
function featuresIn(list: unknown): readonly ProxyFeature[] {
  if (list === undefined) return proxyFeatures;
  return String(list).split(",").filter((name) => name !== "").map((name) => {
    const feature = proxyFeatures.find((one) => one === name);
    if (feature !== undefined) return feature;
    const known = proxyFeatures.join(", ");
    throw invalid("proxy.run", `Cannot use --features ${quoted(name)}: there are ${known}`);
  });
}

async function serveUntilStopped(
  context: Context,
  { tell, features }: { tell: () => void; features: readonly ProxyFeature[] },
): Promise<number> {
  const { clock, log } = context;
  const signals = listenForSignals();
  const stopping = new AbortController();
  const server = new ProxyServer({
    plane: { open: (settings, routes) => openProxy(settings, routes, { features }), counterNames },
    clock,
    log,
    version,
    pid: Deno.pid,
    stopped: () => signals.stop(exit.done),
  });
  try {
    const serving = serve(proxyOf(context).socket, {
      maxRequest: MAX_REQUEST,
      parse: (line) => line,
      answer: (line, gone) => server.answer(line, gone),
      clock,
      log,
      signal: stopping.signal,
    });
    tell();
    log.log("info", "The UDP proxy waits for what it is to carry");
    const code = await Promise.race([signals.stopped, serving.then(() => exit.failed)]);
    await server.close();
    stopping.abort();
    await serving;
    log.log("info", "The UDP proxy has stopped");
    return code;
  } finally {
    stopping.abort();
    await server.close();
    signals.close();
  }
}
