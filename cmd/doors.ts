/** Where a running agent can be asked: its control sockets, and the pages of `--listen`. */
import type { Agent } from "../agent/agent.ts";
import { type Request, serveControl, serveStatus } from "../agent/control.ts";
import { knownDocument, knownNetwork, lingeringDocument } from "../agent/known_network.ts";
import type { MetricFacts } from "../agent/monitoring/metrics.ts";
import { ping } from "../agent/probing/ping.ts";
import { probePage } from "../agent/monitoring/pages.ts";
import { repairDocument } from "../agent/repair_document.ts";
import { statusOf } from "../agent/status.ts";
import { servePages } from "../control/pages.ts";
import { messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { parsePlace, placeOf } from "../net/place.ts";
import { sumOf } from "../proxy/counters.ts";
import { proxiesOf } from "./proxy_client.ts";
import { type Context, socketOf, statusSocketOf } from "./context.ts";
import { exit } from "./exit.ts";
import type { Signals } from "./signals.ts";
import { version } from "./version.ts";

export interface Asked {
  /** Undefined while it is still joining. */
  readonly agent: () => Agent | undefined;
  readonly signals: Signals;
  /** Closes the doors. */
  readonly signal: AbortSignal;
}

/**
 * Opens them: they are open when this returns its promise, which resolves when they are closed. Throws FlanError where
 * the socket or the port cannot be had.
 */
export function openDoors(context: Context, asked: Asked): Promise<void> {
  const { settings, clock, log } = context;
  const { listen } = settings;
  // First: a port that cannot be had must leave no socket behind that somebody waits on.
  const pages = listen === undefined
    ? Promise.resolve()
    : listenForProbes(context, { place: listen, ...asked });
  const tools = { clock, log, signal: asked.signal };
  // Before the other one: who may not ask there finds this one.
  const status = serveStatus(statusSocketOf(settings), {
    ...tools,
    answer: () => answer(context, { request: { op: "status" }, ...asked }),
  });
  const control = serveControl(socketOf(settings), {
    ...tools,
    answer: (request) => answer(context, { request, ...asked }),
  });
  return Promise.all([status, control, pages]).then(() => {});
}

function listenForProbes(
  context: Context,
  { place, agent, signal }: Asked & { place: string },
): Promise<void> {
  const { clock, log } = context;
  const facts = () => metricFacts(context, agent());
  const page = (path: string) => probePage(path, { agent: agent(), facts });
  const served = servePages(parsePlace(place, place), { page, clock, log, signal });
  log.log("info", `Serving /livez, /readyz and /metrics at http://${placeOf(served.place)}`);
  return served.ended;
}

/** Metrics of a proxy that does not answer are left out; that it does not is the health code `proxy-down`. */
async function metricFacts(
  { settings, clock, log }: Context,
  agent: Agent | undefined,
): Promise<MetricFacts> {
  const proxies = agent?.state.backend.type === "udp" ? proxiesOf({ settings, clock }) : [];
  const counted = await Promise.all(proxies.map(({ client }) =>
    client.counters().catch((error) => {
      log.log("debug", `No counters of the proxy for the metrics: ${messageOf(error)}`);
      return undefined;
    })
  ));
  const known = counted.flatMap((one) => one === undefined ? [] : [one.counters]);
  return { now: clock.now(), version, proxy: known.length === 0 ? undefined : sumOf(known) };
}

/** Null is what an agent says of itself that is still joining. */
async function answer(
  { settings, clock }: Context,
  { request, agent, signals }: Pick<Asked, "agent" | "signals"> & { request: Request },
): Promise<Json> {
  const asked = agent();
  switch (request.op) {
    case "stop":
      signals.stop(exit.done);
      return { pid: Deno.pid };
    case "network":
      return asked === undefined ? null : knownDocument(knownNetwork(asked, settings.store));
    case "lingering":
      return asked === undefined ? null : lingeringDocument(asked);
    case "repair":
      return asked === undefined ? null : await asked.repair().then(repairDocument);
    case "ping":
      return asked === undefined ? null : await ping(asked, request, () => clock.now());
    case "status":
      return asked === undefined
        ? null
        : statusOf(asked, { pid: Deno.pid, version, store: settings.store, now: clock.now() });
  }
}
