/** This host for those who only look, who may be another user than the one whose proxy runs here. */
import type { PeerPlan, Plan } from "../backends/backend.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isFirewalls, isProxys } from "../kernel/relations.ts";
import { keyOf } from "../kernel/state.ts";
import { printable } from "../net/text.ts";
import { type Context, withKernel } from "./context.ts";

/** The host as far as it can be seen. */
export interface Looked {
  readonly kernel: Kernel;
  /** Whether the proxy could not be asked, so far. */
  readonly isProxyHidden: () => boolean;
  /** Whether the packet filter could not be read, so far. */
  readonly isFirewallHidden: () => boolean;
}

/**
 * Runs `work` with the host, and says once on stderr where its proxy cannot be seen, or packet filter rules that it
 * should have.
 */
export async function withLook<T>(context: Context, work: (looked: Looked) => Promise<T>): Promise<T> {
  let hidden = false;
  const unseen = ({ message }: Error) => {
    if (!hidden) console.error(`flan: The UDP proxy is not judged: ${printable(message, 2000)}`);
    hidden = true;
  };
  let filterHidden = false;
  const unseenFirewall = ({ message }: Error) => {
    if (!filterHidden && context.settings.ipMasq) {
      console.error(`flan: The packet filter is not judged: ${printable(message, 2000)}`);
    }
    filterHidden = true;
  };
  const looked = { isProxyHidden: () => hidden, isFirewallHidden: () => filterHidden };
  return await withKernel(context, (kernel) => work({ kernel, ...looked }), { unseen, unseenFirewall });
}

/** The plan without rules of the packet filter; no peer names them. */
export function withoutFirewall(plan: Plan): Plan {
  return { ...plan, objects: plan.objects.filter((object) => !isFirewalls(object)) };
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
