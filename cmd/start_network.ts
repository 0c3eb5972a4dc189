/** The network that `flan up` joins: started where the store holds none, held against the settings where it does. */
import { requireOutside } from "../agent/network.ts";
import { findUnderlay } from "../agent/underlay.ts";
import type { Ground } from "../agent/wire.ts";
import { backendFor } from "../backends/registry.ts";
import { ensureNetwork } from "../lease/manager.ts";
import { parseNetworkConfig } from "../lease/network.ts";
import { formatCidr } from "../net/ip.ts";
import type { Context } from "./context.ts";
import { requireAgreement, startingConfig } from "./network_settings.ts";

/** Throws `invalid` for a network that the settings contradict, or that this host cannot be in. */
export async function startNetwork(context: Context, { store, kernel }: Ground): Promise<void> {
  const { settings: { iface: wishes = [], publicIp }, log } = context;
  const objects = await kernel.dump({ links: [], sysctls: [] });
  const underlay = await findUnderlay(kernel, { objects, wishes, publicIp });
  const wanted = startingConfig(context, objects);
  // A network that this version cannot serve must not be started either.
  const planned = parseNetworkConfig(wanted);
  backendFor(planned.backendType).check(planned);
  requireOutside(planned, underlay);
  const { config, started } = await ensureNetwork(store, wanted);
  const network = parseNetworkConfig(config.value);
  if (started) {
    const name = `network ${formatCidr(network.network)} with backend ${network.backendType}`;
    return log.log("info", `Started ${name} in ${store.url}`);
  }
  requireAgreement(context, network, store.url);
  requireOutside(network, underlay);
}
