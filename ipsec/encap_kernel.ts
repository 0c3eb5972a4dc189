/** A kernel together with this host's socket for ESP in UDP, which is an object like all others. */
import type { Change, Failure, Kernel } from "../kernel/kernel.ts";
import { MergedEvents } from "../kernel/merged_events.ts";
import { describe } from "../kernel/state.ts";
import { inStretches } from "../kernel/stretches.ts";
import { wrapped } from "../kernel/wrapped.ts";
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import type { EncapHolder } from "./encap_holder.ts";
import { EncapWatch } from "./encap_watch.ts";

/** What the wrapped kernel needs of the process that holds the socket; tests bring their own. */
export type Holding = Pick<EncapHolder, "require" | "look" | "start" | "stop" | "whenEnded" | "port">;

/** Where no process holds one and none is wanted, a dump costs a look for a lock file. */
export function openEncapKernel(kernel: Kernel, holder: Holding): Kernel {
  const watch = new EncapWatch(holder);
  const events = new MergedEvents(kernel, (tell, until) => watch.follow(tell, until));
  const change = async ({ verb }: Change): Promise<void> => {
    watch.ends();
    if (verb === "delete") return await holder.stop();
    watch.saw(await holder.start());
  };
  return wrapped(kernel, {
    require: async (features) => {
      const rest = features.filter((feature) => feature !== "udp-encap");
      await kernel.require(rest);
      if (rest.length < features.length) holder.require();
    },
    dump: async (request) => {
      const objects = await kernel.dump(request);
      const seen = request.linksOnly ? undefined : holder.look();
      if (seen === undefined) return objects;
      if (typeof seen === "number") watch.saw(seen);
      return [...objects, { kind: "encap-socket", port: holder.port }];
    },
    apply: (changes) =>
      inStretches(changes, {
        isMine: ({ object }) => object.kind === "encap-socket",
        mine: async (stretch) => {
          const failures: Failure[] = [];
          for (const one of stretch) failures.push(...await attempt(one, change));
          return failures;
        },
        others: (stretch) => kernel.apply(stretch),
      }),
    events: (signal) => events.events(signal),
    hear: () => events.hear(),
    close: () => {
      events.close();
      kernel.close();
    },
  });
}

async function attempt(
  change: Change,
  work: (change: Change) => Promise<void>,
): Promise<readonly Failure[]> {
  try {
    await work(change);
    return [];
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const { op, code, hint } = error;
    const message = messageOf(error);
    const text = message.startsWith("Cannot ")
      ? message
      : `Cannot ${change.verb} ${describe(change.object)}: ${message}`;
    const errno = error instanceof KernelError ? error.errno : "";
    return [{ change, error: new KernelError(text, errno, { op, code, hint }) }];
  }
}
