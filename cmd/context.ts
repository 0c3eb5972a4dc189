/** What every subcommand starts from: the settings, the clock and the log, and doors to the store and the kernel. */
import { systemClock } from "../agent/clock.ts";
import type { Network } from "../agent/network.ts";
import type { HostSecrets } from "../agent/secrets.ts";
import type { Seeing } from "../agent/host_kernel.ts";
import { FLANNEL_FILE } from "../agent/subnet_env.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { OpenOptions } from "../lease/remote/credentials.ts";
import type { ReadOptions, Snapshot, Store } from "../lease/store.ts";
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";
import type { Flags } from "./cli.ts";
import { type Follows, type Loaded, loadSettings, openConfigFile } from "./config.ts";
import { type Log, openLog } from "./log.ts";
import { proxyPlace } from "./proxy_place.ts";
import { credentialsOf, type Settings } from "./settings.ts";

export interface Context extends Loaded {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Loads the settings and opens the log, which has to be written before the process ends. Throws `invalid` for a bad setting. */
export async function openContext(
  flags: Flags,
  options: { follows: Follows },
): Promise<Context & { readonly log: Log }> {
  const loaded = loadSettings(flags, { ...options, file: await openConfigFile(flags) });
  return { ...loaded, clock: systemClock, log: openLog(loaded.settings) };
}

/** What a store is opened with. */
export function storeOptions({ clock, log, settings }: Context): Required<OpenOptions> {
  return { clock, log, credentials: credentialsOf(settings) };
}

/** Runs `work` with the store, and closes it again. */
export async function withStore<T>(context: Context, work: (store: Store) => Promise<T>): Promise<T> {
  const { openStore } = await import("../lease/open.ts");
  const store = await openStore(context.settings.store, storeOptions(context));
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

/**
 * Runs `work` with the kernel, and closes it again. libnl is loaded here and nowhere earlier. A packet filter that this
 * user may not see has no rules for whoever does not ask otherwise, WireGuard's devices have no settings, IPsec is not there, and the
 * network's commands did nothing.
 */
export async function withKernel<T>(
  context: Context,
  work: (kernel: Kernel, secrets: HostSecrets) => Promise<T>,
  seeing: Omit<Seeing, "log"> = {},
): Promise<T> {
  const { openHost } = await import("../agent/host_kernel.ts");
  const { HostSecrets } = await import("../agent/secrets.ts");
  const { IpsecLedger } = await import("../agent/ipsec_ledger.ts");
  const secrets = new HostSecrets(context.settings.stateDir);
  const kernel = openHost(proxyPlace(context), {
    clock: context.clock,
    secrets,
    ledger: new IpsecLedger(context.settings.stateDir, context.clock),
    runsHooks: mayRunHooks(context),
    unseenFirewall: () => {},
    unseenHooks: () => {},
    unseenWireguard: () => {},
    unseenIpsec: () => {},
    ...seeing,
  });
  try {
    return await work(kernel, secrets);
  } finally {
    kernel.close();
  }
}

/** Whoever writes to the store chooses the commands of an extension network, so a host runs them only where it was told. */
export function mayRunHooks({ settings }: Pick<Context, "settings">): boolean {
  return settings.backend?.toLowerCase() === "extension";
}

export interface StoredNetwork extends Network {
  readonly snapshot: Snapshot;
}

/** The network in the store. Throws FlanError `store` where none was started, `invalid` where it cannot be used. */
export async function readNetwork(store: Store, options?: ReadOptions): Promise<StoredNetwork> {
  const { networkIn } = await import("../agent/network.ts");
  const snapshot = await store.read(options);
  return { snapshot, ...networkIn(snapshot, store.url) };
}

/** subnet.env's place; flannel's own place is served too by the one agent in the default run directory. */
export function subnetFileOf(
  settings: Settings,
): { subnetFile: string; sharedSubnetFile: string | undefined } {
  const subnetFile = settings.subnetFile ?? `${settings.runDir}/subnet.env`;
  return {
    subnetFile,
    sharedSubnetFile: settings.subnetFile === undefined && settings.runDir === "/run/flan"
      ? FLANNEL_FILE
      : undefined,
  };
}

/** Where root and its group ask the agent for anything. */
export function socketOf({ runDir }: Pick<Settings, "runDir">): string {
  return `${runDir}/agent.sock`;
}

/** Where every user asks the agent for its status. */
export function statusSocketOf({ runDir }: Pick<Settings, "runDir">): string {
  return `${runDir}/status.sock`;
}
