/** The network that `flan up` joins: started where the store holds none, held against the settings where it does. */
import { onceSettled } from "../agent/settled.ts";
import { needsOf } from "../agent/firewall.ts";
import { groundOf } from "../agent/host.ts";
import { readHostState } from "../agent/host_state.ts";
import { joinedOver } from "../agent/joined.ts";
import { requireEncrypted, requireFit } from "../agent/network.ts";
import { requireNoOverlap } from "../agent/overlap.ts";
import type { Ground } from "../agent/wire.ts";
import { backendFor } from "../backends/registry.ts";
import { ensureNetwork } from "../lease/manager.ts";
import { type NetworkConfig, parseNetworkConfig } from "../lease/network.ts";
import { networksOf } from "../lease/stack.ts";
import type { Store, StoredConfig } from "../lease/store.ts";
import { FlanError, invalid } from "../net/errors.ts";
import type { KernelObject } from "../kernel/state.ts";
import { covers, familyOf, formatCidr, parseCidr } from "../net/ip.ts";
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
  { allowOverlap, once }: { allowOverlap: boolean; once: boolean },
): Promise<void> {
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const options = { ...context.settings, former: joinedOver(context.settings.runDir) };
  const wanted = startingConfig(context, objects);
  // A network that this version cannot serve must not be started, nor one that this host cannot be in.
  const planned = parseNetworkConfig(wanted);
  const backend = backendFor(planned.backendType);
  backend.check(planned);
  requireEncrypted({ backend }, context.settings);
  await kernel.require(needsOf({ backend, config: planned }, context.settings));
  const looked = [objects];
  const fits = async (network: NetworkConfig) => {
    if (once) requireNoRekeying(network);
    const look = async () =>
      await groundOf(kernel, {
        config: network,
        options,
        objects: looked.pop() ?? await kernel.dump({ links: [], sysctls: [] }),
      });
    const ground = await onceSettled(look, context.clock);
    requireFit({ config: network, backend: backendFor(network.backendType) }, ground);
    const place = { objects, store: store.url, stateDir: context.settings.stateDir };
    if (!allowOverlap) requireApart(network, place);
  };
  const there = await networkThere(context, store);
  if (there === undefined) await fits(planned);
  const { config, started } = await ensureNetwork(store, wanted);
  const network = parseNetworkConfig(config.value);
  if (started) return tellStarted(context, { network, url: store.url });
  requireAgreement(context, network, store.url);
  requireEncrypted({ backend: backendFor(network.backendType) }, context.settings);
  await fits(network);
}

/** Throws `invalid` where nobody hears a host any more whose keys no agent changes. */
function requireNoRekeying(network: NetworkConfig): void {
  const span = backendFor(network.backendType).epochs?.(network);
  if (span === undefined) return;
  throw invalid(
    "up",
    `Cannot join an ${network.backendType} network with --once: keys change every ${
      span / 1000
    } s, and only an agent changes them`,
    "flan up --detach",
  );
}

/**
 * Throws `invalid` where a host that is not in the network yet has routes or addresses in it. One that is in it goes on:
 * its packets flow already, and without an agent it would lose its lease, too.
 */
export function requireApart(
  network: NetworkConfig,
  { objects, store, stateDir }: { objects: readonly KernelObject[]; store: string; stateDir: string },
): void {
  const { previous, previous6, leasedIn } = readHostState(stateDir) ?? {};
  const former = [previous, previous6].filter((subnet) => subnet !== undefined);
  for (const whole of networksOf(network)) {
    const own = former.find((subnet) => familyOf(subnet) === whole.family);
    if (leasedIn === store && own !== undefined && covers(whole, parseCidr(own))) continue;
    requireNoOverlap(whole, { objects, own });
  }
}

/** A mistyped place is a new network, so whoever types it is told even where the log goes to a file. */
function tellStarted(
  { settings, log }: Context,
  { network, url }: { network: NetworkConfig; url: string },
): void {
  const text = `Started network ${
    networksOf(network).map(formatCidr).join(" and ")
  } with backend ${network.backendType} in ${url}`;
  log.log("info", text);
  if (settings.logFile !== undefined) console.error(`flan: ${printable(text, 2000)}`);
}

/**
 * What the store holds. A store that leases a subnet to this host and holds no network any more is not there: a file
 * system that is not mounted, a directory that was moved. A new network in its place would move all hosts to other
 * subnets.
 */
async function networkThere({ settings }: Context, store: Store): Promise<StoredConfig | undefined> {
  // A damaged store is there: what joins next mends it, or says what is wrong with it.
  const snapshot = await store.read().catch((error) => {
    if (error instanceof FlanError && error.code === "store-damaged") return undefined;
    throw error;
  });
  if (snapshot === undefined || snapshot.config !== undefined) return snapshot?.config;
  const { previous, leasedIn } = readHostState(settings.stateDir) ?? {};
  const isNamed = settings.network !== undefined || settings.network6 !== undefined;
  if (leasedIn !== store.url || isNamed) return undefined;
  throw new FlanError(`Cannot find the network in ${store.url} that leases ${previous} to this host`, {
    op: "up",
    code: "store",
    hint: "put the store back, or start a new network with --network",
  });
}
