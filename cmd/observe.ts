/** The plan of this host and what the kernel has of it, read and not touched: for `routes` and its parts. */
import { observeHost } from "../agent/host.ts";
import type { Plan } from "../backends/backend.ts";
import { type Drift, drift } from "../kernel/drift.ts";
import type { Owner } from "../kernel/ownership.ts";
import { aliasOf } from "../kernel/state.ts";
import type { View } from "../lease/view.ts";
import { makeView } from "../lease/view.ts";
import { formatCidr } from "../net/ip.ts";
import { type Context, readNetwork, type StoredNetwork, withKernel, withStore } from "./context.ts";

export interface Observation extends StoredNetwork {
  readonly node: string;
  readonly view: View;
  readonly plan: Plan;
  readonly drift: Drift;
}

/** Reads store and kernel once. Throws FlanError `store`, or `invalid` where there is no underlay. */
export async function observe(context: Context): Promise<Observation> {
  return await withStore(context, (store) =>
    withKernel(context, async (kernel) => {
      const network = await readNetwork(store);
      const { config, backend, snapshot } = network;
      const host = await observeHost(kernel, { ...network, options: context.settings });
      const view = makeView(snapshot, { node: host.node, network: config });
      const plan = backend.plan(view, host);
      const device = backend.device(config);
      const sysctls = plan.objects.flatMap((object) => object.kind === "sysctl" ? [object.name] : []);
      const actual = await kernel.dump({ links: [device], sysctls });
      const owner: Owner = {
        alias: aliasOf(host.node),
        links: [device],
        network: formatCidr(config.network),
      };
      return { ...network, node: host.node, view, plan, drift: drift(plan.objects, actual, owner) };
    }));
}
