/** `flan lease watch`: leases as they come, change and go, through outages of the store. */
import { readHostState } from "../agent/host_state.ts";
import { networkIn } from "../agent/network.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { Snapshot, Store } from "../lease/store.ts";
import { isStoreTrouble, messageOf } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { type Context, readNetwork, withStore } from "./context.ts";
import type { Call } from "./leaf.ts";
import { itemDocument, leasesOf } from "./lease_items.ts";
import { print } from "./output.ts";
import { listenForSignals } from "./signals.ts";

/** How long a watch that broke off waits before the next one, milliseconds. */
const AGAIN_MS = 1000;

/** Prints every lease as `added`, then what changes, until it is interrupted. */
export async function watchLeases({ context }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const signals = listenForSignals();
  const ended = new AbortController();
  signals.stopped.then(() => ended.abort());
  try {
    await withStore(context, async (store) => {
      const { config, snapshot } = await readNetwork(store);
      const show = printer(judge(config, store.url), node);
      show(snapshot);
      await follow(store, { context, from: snapshot.revision, signal: ended.signal, show });
    });
    return await signals.stopped;
  } finally {
    signals.close();
  }
}

interface Following {
  readonly context: Context;
  readonly from: number;
  readonly signal: AbortSignal;
  readonly show: (snapshot: Snapshot) => void;
}

/** Shows every snapshot. Of a store that is away one line on stderr is said, and one when it is back. */
async function follow(store: Store, { context, from, signal, show }: Following): Promise<void> {
  let away = false;
  const troubled = (error: unknown) => {
    const isAway = error !== undefined;
    if (isAway === away || signal.aborted) return;
    away = isAway;
    const what = isAway ? `The watch waits for the store: ${messageOf(error)}` : "The store is back";
    console.error(`flan: ${printable(what, 2000)}`);
  };
  let revision = from;
  while (!signal.aborted) {
    try {
      for await (const snapshot of store.watch(revision, signal, { troubled })) {
        troubled(undefined);
        revision = snapshot.revision;
        show(snapshot);
      }
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      troubled(error);
      await context.clock.sleep(AGAIN_MS, signal);
      // A store that was put back to an earlier revision would have nothing newer to tell.
      revision = 0;
    }
  }
}

type Judge = (snapshot: Snapshot) => NetworkConfig;

/** Every snapshot is judged by its own network config, or by the last one that can be used, as agents do. */
function judge(config: NetworkConfig, url: string): Judge {
  let [last, seen] = [config, undefined as Snapshot["config"]];
  return (snapshot) => {
    if (snapshot.config === undefined || snapshot.config === seen) return last;
    seen = snapshot.config;
    try {
      last = networkIn(snapshot, url).config;
    } catch (error) {
      const what = `The new network config cannot be used, the old one stays: ${messageOf(error)}`;
      console.error(`flan: ${printable(what, 2000)}`);
    }
    return last;
  };
}

function printer(judge: Judge, node: string | undefined): (snapshot: Snapshot) => void {
  let before = new Map<string, string>();
  return (snapshot) => {
    const now = new Map(
      leasesOf({ config: judge(snapshot), snapshot }, node).flatMap((item) => {
        if (item.lease === undefined) return [];
        const { refused: _, ...document } = itemDocument(item, node);
        return [[item.lease.subnet, JSON.stringify(document)] as const];
      }),
    );
    for (const [subnet, text] of now) {
      const was = before.get(subnet);
      if (was !== text) event(was === undefined ? "added" : "changed", text);
    }
    for (const [subnet, text] of before) if (!now.has(subnet)) event("removed", text);
    before = now;
  };
}

function event(kind: "added" | "changed" | "removed", lease: string): void {
  print(JSON.stringify({ schema: "flan.lease-event/v1", event: kind, lease: JSON.parse(lease) }));
}
