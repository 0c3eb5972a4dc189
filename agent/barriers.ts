/**
 * What keeps the packets of an encrypted network from leaving in clear until this host has a lease again, as after a
 * reboot: its containers may be there before its store is. It is known from the state directory alone.
 */
import { barrierFor } from "../backends/network_route.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Route } from "../kernel/state.ts";
import type { Store } from "../lease/store.ts";
import { covers, formatCidr, parseCidr } from "../net/ip.ts";
import type { Logger } from "../net/log.ts";
import { readHostState } from "./host_state.ts";
import { readEncrypted } from "./planes.ts";

/**
 * The barriers of a host that had a lease from this store, has not given it back, and had it in a network that encrypts;
 * none for any other host. Throws what {@link readHostState} does.
 */
export function barriersBefore({ stateDir, store }: { stateDir: string; store: string }): readonly Route[] {
  const { previous, leasedIn } = readHostState(stateDir) ?? {};
  if (leasedIn !== store || previous === undefined) return [];
  const networks = readEncrypted(stateDir);
  const had = parseCidr(previous);
  const isThere = networks.some((network) => covers(network, had));
  return isThere ? networks.map((network) => barrierFor(formatCidr(network))) : [];
}

/**
 * Makes those that are missing, and changes nothing else. The kernel may refuse: then the log says so, and the join, which
 * wants the same, has the last word. Throws what {@link barriersBefore} does, and where the kernel cannot be asked at all.
 */
export async function raiseBarriers(
  { kernel, store: { url } }: { readonly kernel: Kernel; readonly store: Pick<Store, "url"> },
  { stateDir, log }: { stateDir: string; log: Logger },
): Promise<void> {
  const barriers = barriersBefore({ stateDir, store: url });
  if (barriers.length === 0) return;
  const failures = await kernel.apply(barriers.map((object) => ({ verb: "add", object })));
  for (const { error } of failures) {
    // It stands since this host was in the network, or somebody else's does, which the join tells of.
    if (error.errno === "EEXIST") continue;
    log.log("warning", `Until this host has a lease its packets may leave in clear: ${error.message}`);
  }
}
