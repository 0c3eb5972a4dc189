/** A kernel around another one: what knows more than the kernel itself answers for that, and hands everything else on. */
import type { Kernel } from "./kernel.ts";

/** `inner` with the verbs of `own` in place of its own. */
export function wrapped(inner: Kernel, own: Partial<Kernel>): Kernel {
  return {
    require: (features) => inner.require(features),
    dump: (request) => inner.dump(request),
    apply: (changes) => inner.apply(changes),
    events: (signal) => inner.events(signal),
    hear: () => inner.hear(),
    routeGet: (destination, query) => inner.routeGet(destination, query),
    routeMatch: (destination, query) => inner.routeMatch(destination, query),
    close: () => inner.close(),
    ...own,
  };
}
