/** This host for those who only look, who may be another user than the one whose proxy runs here. */
import type { PeerPlan, Plan } from "../backends/backend.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isProxys } from "../kernel/relations.ts";
import { keyOf } from "../kernel/state.ts";
import { printable } from "../net/text.ts";
import { type Context, withKernel } from "./context.ts";

/** The host as far as it can be seen. */
export interface Looked {
  readonly kernel: Kernel;
  /** Whether the proxy could not be asked, so far. */
  readonly isProxyHidden: () => boolean;
}

/** Runs `work` with the host, and says once on stderr where its proxy cannot be seen. */
export async function withLook<T>(context: Context, work: (looked: Looked) => Promise<T>): Promise<T> {
  let hidden = false;
  const unseen = ({ message }: Error) => {
    if (!hidden) console.error(`flan: The UDP proxy is not judged: ${printable(message, 2000)}`);
    hidden = true;
  };
  return await withKernel(context, (kernel) => work({ kernel, isProxyHidden: () => hidden }), { unseen });
}

/** The plan without what only the proxy could tell. */
export function withoutProxy(plan: Plan): Plan {
  const hidden = new Set(plan.objects.filter(isProxys).map(keyOf));
  return {
    ...plan,
    objects: plan.objects.filter((object) => !isProxys(object)),
    peers: plan.peers.map((peer): PeerPlan => ({
      ...peer,
      keys: peer.keys.filter((key) => !hidden.has(key)),
    })),
  };
}
