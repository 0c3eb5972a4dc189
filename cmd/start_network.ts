/** The network that `flan up` joins: started where the store holds none, held against the settings where it does. */
import { needsOf } from "../agent/firewall.ts";
import { readHostState } from "../agent/host_state.ts";
import { joinedOver } from "../agent/joined.ts";
import { requireFit } from "../agent/network.ts";
import { requireNoOverlap } from "../agent/overlap.ts";
import { findUnderlay } from "../agent/underlay.ts";
import type { Ground } from "../agent/wire.ts";
import { backendFor } from "../backends/registry.ts";
import { ensureNetwork } from "../lease/manager.ts";
import { type NetworkConfig, parseNetworkConfig } from "../lease/network.ts";
import type { Store } from "../lease/store.ts";
import { FlanError } from "../net/errors.ts";
import type { KernelObject } from "../kernel/state.ts";
import { covers, formatCidr, parseCidr } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import type { Context } from "./context.ts";
import { requireAgreement, startingConfig } from "./network_settings.ts";

/**
 * Throws `invalid` for a network that the settings contradict, that this host cannot be in, or that overlaps its own
 * routes and addresses unless `allowOverlap` is set, and `unsupported` or
 * `not-permitted` where this host lacks what it takes to be in one.
 */
export async function startNetwork(
  context: Context,
  { store, kernel }: Pick<Ground, "store" | "kernel">,
  { allowOverlap }: { allowOverlap: boolean },
): Promise<void> {
  const { settings: { iface: wishes = [], publicIp, runDir } } = context;
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const former = joinedOver(runDir);
  const underlay = await findUnderlay(kernel, { objects, wishes, publicIp, former });
  const host = { underlay, publicIp: publicIp ?? underlay.address };
  const wanted = startingConfig(context, objects);
  // A network that this version cannot serve must not be started, nor one that this host cannot be in.
  const planned = parseNetworkConfig(wanted);
  const backend = backendFor(planned.backendType);
  backend.check(planned);
  await kernel.require(needsOf(backend, context.settings));
  requireFit({ config: planned, backend }, host);
  const place = { objects, store: store.url, stateDir: context.settings.stateDir };
  if (!allowOverlap) requireApart(planned, place);
  await requireStoreThere(context, store);
  const { config, started } = await ensureNetwork(store, wanted);
  const network = parseNetworkConfig(config.value);
  if (started) return tellStarted(context, { network, url: store.url });
  requireAgreement(context, network, store.url);
  requireFit({ config: network, backend: backendFor(network.backendType) }, host);
  if (!allowOverlap) requireApart(network, place);
}

/**
 * Throws `invalid` where a host that is not in the network yet has routes or addresses in it. One that is in it goes on:
 * its packets flow already, and without an agent it would lose its lease, too.
 */
export function requireApart(
  { network }: NetworkConfig,
  { objects, store, stateDir }: { objects: readonly KernelObject[]; store: string; stateDir: string },
): void {
  const { previous: own, leasedIn } = readHostState(stateDir) ?? {};
  if (leasedIn === store && own !== undefined && covers(network, parseCidr(own))) return;
  requireNoOverlap(network, { objects, own });
}

/** A mistyped place is a new network, so whoever types it is told even where the log goes to a file. */
function tellStarted(
  { settings, log }: Context,
  { network, url }: { network: NetworkConfig; url: string },
): void {
  const text = `Started network ${formatCidr(network.network)} with backend ${network.backendType} in ${url}`;
  log.log("info", text);
  if (settings.logFile !== undefined) console.error(`flan: ${printable(text, 2000)}`);
}

/**
 * A store that leases a subnet to this host and holds no network any more is not there: a file system that is
 * not mounted, a directory that was moved. A new network in its place would move all hosts to other subnets.
 */
async function requireStoreThere({ settings }: Context, store: Store): Promise<void> {
  const { previous, leasedIn } = readHostState(settings.stateDir) ?? {};
  if (leasedIn !== store.url || settings.network !== undefined) return;
  // A damaged store is there: what joins next mends it, or says what is wrong with it.
  const snapshot = await store.read().catch((error) => {
    if (error instanceof FlanError) return undefined;
    throw error;
  });
  if (snapshot === undefined || snapshot.config !== undefined) return;
  throw new FlanError(`Cannot find the network in ${store.url} that leases ${previous} to this host`, {
    op: "up",
    code: "store",
    hint: "put the store back, or start a new network with --network",
  });
}
