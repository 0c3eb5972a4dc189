/** `flan routes watch`: what happens to the routes and all that they need, as it happens. */
import { reasonOf, type Scope } from "../agent/concerns.ts";
import { lockHolder } from "../agent/lock.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { describe } from "../kernel/state.ts";
import { networksOf } from "../lease/stack.ts";
import { FlanError } from "../net/errors.ts";
import { batches } from "./batches.ts";
import { type Context, withStore } from "./context.ts";
import type { Call } from "./leaf.ts";
import { LinkMemory } from "./link_memory.ts";
import { type Looked, withLook } from "./looking.ts";
import { type Observed, observeIn } from "./observe.ts";
import { type Format, print, printFolded } from "./output.ts";
import { eventLine, type RouteEvent, RouteEvents } from "./route_events.ts";
import { listenForSignals } from "./signals.ts";

export async function watchRoutes(call: Call): Promise<number> {
  const { context, format } = call;
  const { clock, settings } = context;
  const signals = listenForSignals();
  const ended = new AbortController();
  signals.stopped.then(() => ended.abort());
  try {
    await withLook(context, async (looked) => {
      // Subscribed before the look, so that nothing happens between the two unseen. The look is of the same kernel, which
      // keeps changes of other rules of the packet filter than it has seen from here.
      const events = looked.kernel.events(ended.signal);
      const observed = await withStore(context, (store) => observeIn(context, { store, looked }));
      tellState(observed, { format, now: clock.now() });
      const scope = {
        devices: observed.devices,
        underlay: observed.host.underlay.link,
        networks: networksOf(observed.config),
        searching: false,
      };
      const told = new RouteEvents(observed.plan.objects);
      const links = new LinkMemory(observed.actual);
      const learn = learning(context, { looked, told });
      for await (const batch of batches(events, BATCH)) {
        const mine = batch.filter((event) => !event.own && concerns(event, scope));
        const news = mine.filter((event) => told.isNews(event));
        if (news.length > 0 && !await learn()) news.forEach((event) => told.doubt(event));
        const agent = lockHolder(settings.runDir);
        for (const event of mine) {
          const look = links.take(event);
          const said = told.take(event, agent);
          const isNews = look === "changed" || look === "coming" && said.differs !== "is down";
          if (isNews || said.repaired) tell(said, { format, now: clock.now() });
        }
      }
    });
    return await signals.stopped;
  } finally {
    ended.abort();
    signals.close();
  }
}

/** An entry of the FDB that comes is no reason to look again, and may be a repair. */
function concerns(event: KernelEvent, scope: Scope): boolean {
  const isEntry = event.mac !== undefined && scope.devices.includes(event.link ?? "");
  return isEntry || reasonOf(event, scope) !== undefined;
}

/** How many events are judged by one look at the plan at the most. */
const BATCH = 1000;

/**
 * Learns what is planned now, and says whether it could: what differs from the plan of a moment ago may be the agent's work,
 * for a peer that came, moved or went. It waits so long that no more than a third of the time goes into it, however large the
 * network is and however many events come.
 */
function learning(
  context: Context,
  { looked, told }: { looked: Looked; told: RouteEvents },
): () => Promise<boolean> {
  const { clock } = context;
  let rested = 0;
  return async () => {
    await clock.sleep(Math.max(0, rested - clock.monotonic()));
    const begun = clock.monotonic();
    try {
      const { plan } = await withStore(context, (store) => observeIn(context, { store, looked }));
      told.learn(plan.objects);
      return true;
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      return false;
    } finally {
      const now = clock.monotonic();
      rested = now + 2 * (now - begun);
    }
  };
}

interface Telling {
  readonly format: Format;
  readonly now: number;
}

/** What is not as planned, in one line. */
function tellState(
  { drift: { changes, conflicts }, overridden }: Observed,
  { format, now }: Telling,
): void {
  const wrong = [
    ...changes.map(({ object }) => object),
    ...conflicts.map(({ wanted }) => wanted),
    ...new Set(overridden.map(({ planned }) => planned)),
  ].map(describe);
  if (format.kind === "jsonl") {
    return tellJson(
      {
        event: "state",
        kind: null,
        object: null,
        differs: null,
        by: null,
        pid: null,
        repaired: false,
        wrong,
      },
      now,
    );
  }
  const at = new Date(now).toISOString();
  printFolded(
    wrong.length === 0 ? `${at}  the kernel is as planned` : `${at}  not as planned: ${wrong.join(", ")}`,
  );
}

function tell(event: RouteEvent, { format, now }: Telling): void {
  if (format.kind === "jsonl") tellJson({ ...event, wrong: null }, now);
  else printFolded(eventLine(event, now));
}

function tellJson(
  event: Omit<RouteEvent, "event"> & { event: RouteEvent["event"] | "state"; wrong: string[] | null },
  now: number,
): void {
  print(JSON.stringify({ schema: "flan.routes-event/v1", time: new Date(now).toISOString(), ...event }));
}
