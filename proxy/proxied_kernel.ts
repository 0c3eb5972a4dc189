/** A kernel together with this host's UDP proxy of one family: its process and its routes are objects like all others. */
import type { Kernel } from "../kernel/kernel.ts";
import { MergedEvents } from "../kernel/merged_events.ts";
import { isProxys } from "../kernel/relations.ts";
import { inStretches } from "../kernel/stretches.ts";
import type { Clock } from "../net/clock.ts";
import { ProxyChanges } from "./changes.ts";
import { ProxyClient } from "./client.ts";
import { wrapped } from "../kernel/wrapped.ts";
import { ProxySight, type SightInit } from "./sight.ts";
import { stopProxy } from "./stop.ts";
import { ProxyWatch } from "./watch.ts";
import { isOfFamily } from "./objects.ts";

/** How long one that was silent already is waited for before it is killed. */
const LAST_WORD_MS = 1000;

export interface ProxiedInit extends Omit<SightInit, "client"> {
  /** Where the proxy's socket and lock lie, or below which. */
  readonly runDir: string;
  readonly clock: Clock;
  /** Starts a proxy process, and resolves when it can be asked. Throws FlanError. */
  readonly spawn: () => Promise<void>;
  /** Throws `unsupported` where this host cannot run a proxy. */
  readonly requireProxy: () => void;
}

/**
 * Where no proxy runs and none is wanted, a dump costs one connect that fails and a look for a lock file. A proxy that
 * hangs is one that carries nothing: a dump knows after 2 s, and whoever makes or mends the proxy then puts another one
 * in its place.
 */
export function openProxiedKernel(
  kernel: Kernel,
  { runDir, clock, spawn, requireProxy, ...seeing }: ProxiedInit,
): Kernel {
  const { family } = seeing;
  const client = new ProxyClient({ runDir, family, clock });
  let applying: Promise<unknown> = Promise.resolve();
  const watch = new ProxyWatch({ client, clock, idle: () => applying });
  const events = new MergedEvents(kernel, (tell, until) => watch.follow(tell, until));
  const sight = new ProxySight({ client, ...seeing });
  const parts = {
    client,
    start: spawn,
    stop: async (link?: string) =>
      void await stopProxy(client, {
        clock,
        ...(link === undefined ? { patience: LAST_WORD_MS } : { link }),
      }),
    isForeign: () => sight.isForeign,
    did: (state: number | "none", link: string) => watch.did(state, link),
  };
  return wrapped(kernel, {
    require: async (features) => {
      const rest = features.filter((feature) => feature !== "proxy");
      if (rest.length < features.length) requireProxy();
      await kernel.require(rest);
    },
    dump: async (request) => {
      if (request.linksOnly) return kernel.dump(request);
      const [objects, more] = await Promise.all([kernel.dump(request), sight.look(request.links)]);
      if (more.length === 0) return objects;
      watch.saw();
      return [...objects, ...more];
    },
    apply: (changes) => {
      const result = applying.then(() => {
        const proxy = new ProxyChanges(parts);
        return inStretches(changes, {
          isMine: ({ object }) => isProxys(object) && isOfFamily(object, family),
          mine: (stretch) => proxy.run(stretch),
          others: (stretch) => kernel.apply(stretch),
        });
      });
      applying = result.catch(() => {});
      return result;
    },
    events: (signal) => events.events(signal),
    hear: () => events.hear(),
    close: () => {
      events.close();
      kernel.close();
    },
  });
}
