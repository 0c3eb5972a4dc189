/** This host for those who only look, who may be another user than the one whose proxy runs here. */
import type { PeerPlan, Plan } from "../backends/backend.ts";
import type { HostSecrets } from "../agent/secrets.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isFirewalls, isProxys, isXfrms } from "../kernel/relations.ts";
import { type KernelObject, keyOf } from "../kernel/state.ts";
import { printable } from "../net/text.ts";
import { type Context, withKernel } from "./context.ts";

/** The host as far as it can be seen. */
export interface Looked {
  readonly kernel: Kernel;
  /** Whether the proxy could not be asked, so far. */
  readonly isProxyHidden: () => boolean;
  /** Whether the packet filter could not be read, so far. */
  readonly isFirewallHidden: () => boolean;
  /** Whether it could not be read what the network's commands did, so far. */
  readonly isHooksHidden: () => boolean;
  /** Whether WireGuard's devices could not be asked, so far. */
  readonly isWireguardHidden: () => boolean;
  /** Whether IPsec's states and policies could not be read, so far. */
  readonly isIpsecHidden: () => boolean;
}

/** The same for who may change it. */
export interface Opened extends Looked {
  readonly secrets: HostSecrets;
}

/**
 * Runs `work` with the host, and says once on stderr where its proxy cannot be seen, or packet filter rules that it
 * should have.
 */
export async function withLook<T>(context: Context, work: (looked: Opened) => Promise<T>): Promise<T> {
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
  let hooksHidden = false;
  const unseenHooks = ({ message }: Error) => {
    if (!hooksHidden) {
      console.error(`flan: What the network's commands did is not judged: ${printable(message, 2000)}`);
    }
    hooksHidden = true;
  };
  let wireguardHidden = false;
  const unseenWireguard = ({ message }: Error) => {
    if (!wireguardHidden) console.error(`flan: WireGuard is not judged: ${printable(message, 2000)}`);
    wireguardHidden = true;
  };
  let ipsecHidden = false;
  const unseenIpsec = ({ message }: Error) => {
    if (!ipsecHidden) console.error(`flan: IPsec is not judged: ${printable(message, 2000)}`);
    ipsecHidden = true;
  };
  const looked = {
    isProxyHidden: () => hidden,
    isFirewallHidden: () => filterHidden,
    isHooksHidden: () => hooksHidden,
    isWireguardHidden: () => wireguardHidden,
    isIpsecHidden: () => ipsecHidden,
  };
  const told = { unseen, unseenFirewall, unseenHooks, unseenWireguard, unseenIpsec };
  return await withKernel(context, (kernel, secrets) => work({ kernel, secrets, ...looked }), told);
}

/** The plan without rules of the packet filter; no peer names them. */
export function withoutFirewall(plan: Plan): Plan {
  return { ...plan, objects: plan.objects.filter((object) => !isFirewalls(object)) };
}

/** The plan without what only the proxy could tell. */
export function withoutProxy(plan: Plan): Plan {
  return without(plan, isProxys);
}

/** The plan without what only the kept hooks could tell. */
export function withoutHooks(plan: Plan): Plan {
  return without(plan, ({ kind }) => kind === "hook");
}

/** The plan without what only WireGuard's devices could tell. */
export function withoutWireguard(plan: Plan): Plan {
  const rest = without(plan, ({ kind }) => kind === "wireguard-peer");
  const objects = rest.objects.map((object): KernelObject => {
    if (object.kind !== "link") return object;
    const { wireguard: _, ...link } = object;
    return link;
  });
  return { ...rest, objects };
}

/** The plan without IPsec's states and policies, which only root is told. */
export function withoutIpsec(plan: Plan): Plan {
  return without(plan, isXfrms);
}

function without(plan: Plan, isHidden: (object: KernelObject) => boolean): Plan {
  const hidden = new Set(plan.objects.filter(isHidden).map(keyOf));
  return {
    ...plan,
    objects: plan.objects.filter((object) => !isHidden(object)),
    peers: plan.peers.map((peer): PeerPlan => ({
      ...peer,
      keys: peer.keys.filter((key) => !hidden.has(key)),
    })),
  };
}
