/** A kernel together with IPsec's states and policies, which are objects like all others. */
import type { DumpRequest, Kernel } from "../kernel/kernel.ts";
import { isFlans } from "../kernel/ownership.ts";
import { isXfrms } from "../kernel/relations.ts";
import { MergedEvents } from "../kernel/merged_events.ts";
import type { KernelObject } from "../kernel/state.ts";
import { inStretches } from "../kernel/stretches.ts";
import { wrapped } from "../kernel/wrapped.ts";
import { FlanError } from "../net/errors.ts";
import { applyXfrms, type IpsecInit } from "./changes.ts";

/** The type of the devices whose packets IPsec carries. */
const DEVICE = "xfrm";

/** `init.unseen` is told why states and policies cannot be seen; without it a dump fails then. */
export function openIpsecKernel(
  kernel: Kernel,
  init: IpsecInit & { readonly unseen?: ((error: FlanError) => void) | undefined },
): Kernel {
  const { tables, ledger, unseen } = init;
  const events = new MergedEvents(kernel, (tell, until) => tables.follow(tell, until));
  const whole = async (objects: readonly KernelObject[], request: DumpRequest) => {
    if (request.linksOnly) return objects;
    const isUsed = hasDevice(objects, request) || ledger.isThere();
    if (!isUsed && !tables.isThere()) return objects;
    try {
      // Before they are read, so that nothing is missed. Where only others use them, what they do is not told.
      if (isUsed) tables.listen();
      return [...objects, ...await tables.read()];
    } catch (error) {
      if (!(error instanceof FlanError) || unseen === undefined) throw error;
      unseen(error);
      return objects;
    }
  };
  return wrapped(kernel, {
    require: async (features) => {
      await kernel.require(features);
      if (features.includes("ipsec")) tables.require();
    },
    dump: async (request) => await whole(await kernel.dump(request), request),
    apply: (changes) =>
      inStretches(changes, {
        isMine: ({ object }) => isXfrms(object),
        mine: (stretch) => applyXfrms(stretch, init),
        others: (stretch) => kernel.apply(stretch),
      }),
    events: (signal) => events.events(signal),
    hear: () => {
      tables.hear();
      return events.hear();
    },
    close: () => {
      events.close();
      tables.close();
      kernel.close();
    },
  });
}

/**
 * Whether a flan has, or had, such a device here. To ask the kernel where none is would load its modules; of one that has
 * them built in nothing tells that they are there, so what a lost device leaves is known by the ledger.
 */
function hasDevice(objects: readonly KernelObject[], { links }: DumpRequest): boolean {
  return objects.some((object) =>
    object.kind === "link" && object.type === DEVICE && (links.includes(object.name) || isFlans(object.alias))
  );
}
