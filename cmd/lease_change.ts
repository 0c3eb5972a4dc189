/** `flan lease acquire`, `renew` and `release`. */
import { askAgent } from "../agent/control.ts";
import { describeHost, observeHost } from "../agent/host.ts";
import { ensureHostState, readHostState, rememberSubnet } from "../agent/host_state.ts";
import { claimOf } from "../agent/keeper.ts";
import { ownLease } from "../agent/status.ts";
import { acquire, release, renew } from "../lease/manager.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { readNetwork, socketOf, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { leasesOf } from "./lease_show.ts";
import type { Call } from "./leaf.ts";
import { print } from "./output.ts";
import { printOwnLease, requireField } from "./own_lease.ts";
import { subnetArgument } from "./subnet_argument.ts";

export async function acquireLease({ context, format, flags }: Call): Promise<number> {
  requireField(format);
  const wish = flags["subnet"] as string | undefined;
  const { settings, clock } = context;
  const subnet = wish === undefined ? undefined : subnetArgument("--subnet", wish);
  const { node, previous } = await ensureHostState(settings.stateDir, clock);
  await withStore(context, (store) =>
    withKernel(context, async (kernel) => {
      const network = await readNetwork(store);
      const host = await describeHost(kernel, { ...network, node, options: settings, clock });
      const claim = {
        ...claimOf(host, { ...network, ttl: settings.leaseTtl }),
        ...(previous === undefined ? {} : { previous }),
        ...(subnet === undefined ? {} : { wish: subnet }),
      };
      const lease = await acquire(store, claim, context);
      await rememberSubnet(settings.stateDir, { subnet: lease.subnet, store: store.url });
      printOwnLease(format, ownLease({ lease, ...network, host }));
    }));
  return exit.done;
}

export async function renewLease({ context, format }: Call): Promise<number> {
  requireField(format);
  const { settings } = context;
  const node = readHostState(settings.stateDir)?.node;
  await withStore(context, async (store) => {
    const network = await readNetwork(store);
    const own = leasesOf(network, node).find(({ lease }) => lease !== undefined && lease.node === node)
      ?.lease;
    if (node === undefined || own === undefined) throw noLease(settings.store);
    await withKernel(context, async (kernel) => {
      const host = await observeHost(kernel, { ...network, options: settings });
      const lease = await renew(store, own, claimOf(host, { ...network, ttl: settings.leaseTtl }));
      printOwnLease(format, ownLease({ lease, ...network, host }));
    });
  });
  return exit.done;
}

export async function releaseLease({ context, flags, args: [subnet] }: Call): Promise<number> {
  const force = flags["force"] === true;
  const { settings, clock } = context;
  const wanted = subnet === undefined ? undefined : subnetArgument("subnet", subnet);
  const node = readHostState(settings.stateDir)?.node;
  return await withStore(context, async (store) => {
    const network = await readNetwork(store);
    const found = leasesOf(network, node).find(({ lease }) =>
      lease !== undefined &&
      (wanted === undefined ? node !== undefined && lease.node === node : lease.subnet === wanted)
    )?.lease;
    if (found === undefined) {
      if (wanted === undefined) throw noLease(settings.store);
      throw new FlanError(`Cannot release ${wanted}: nobody has that lease in ${settings.store}`, {
        op: "lease.release",
        code: "no",
      });
    }
    const own = found.node !== undefined && found.node === node;
    if (!own && !force) {
      throw invalid(
        "lease.release",
        `Cannot release ${found.subnet}: it belongs to node ${found.node ?? "unknown"} at ${found.publicIp}`,
        "add --force if that host is gone",
      );
    }
    if (own && !force && await askAgent(socketOf(settings), { op: "status", clock }) !== undefined) {
      throw invalid(
        "lease.release",
        `Cannot release ${found.subnet}: this host's agent uses it`,
        "run flan down",
      );
    }
    await release(store, { subnet: found.subnet });
    print(`released ${found.subnet}`);
    return exit.done;
  });
}

/** For a host that asks about itself and holds no lease. */
export function noLease(store: string): FlanError {
  return new FlanError(`This host has no lease in ${store}`, { op: "lease", code: "no" });
}
