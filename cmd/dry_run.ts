/** `flan up --dry-run`: the lease that would be taken and every change to the kernel, and nothing is touched. */
import { claimOf } from "../agent/keeper.ts";
import { observeHost } from "../agent/host.ts";
import { readHostState } from "../agent/host_state.ts";
import { backendFor } from "../backends/registry.ts";
import type { Plan } from "../backends/backend.ts";
import { toCommands } from "../kernel/commands.ts";
import { drift } from "../kernel/drift.ts";
import { aliasOf } from "../kernel/state.ts";
import { describe, type KernelObject } from "../kernel/state.ts";
import { allocate } from "../lease/allocate.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import { parseNetworkConfig } from "../lease/network.ts";
import { makeView } from "../lease/view.ts";
import { invalid } from "../net/errors.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { type Context, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { requireAgreement, requireOutside, startingConfig } from "./network_settings.ts";
import { type Format, print, printJson, valueOf } from "./output.ts";

export async function dryRun(context: Context, format: Format): Promise<number> {
  if (format.kind === "env") {
    throw invalid(
      "cli",
      `Cannot print format "env" with --dry-run: table, json, commands or value=FIELD is needed`,
    );
  }
  const { settings, sources } = context;
  return await withStore(context, (store) =>
    withKernel(context, async (kernel) => {
      const snapshot = await store.read();
      const there = await kernel.dump({ links: [], sysctls: [] });
      const started = snapshot.config === undefined;
      const config = parseNetworkConfig(snapshot.config?.value ?? startingConfig(context, there));
      if (!started) requireAgreement({ settings, sources }, config, store.url);
      const backend = backendFor(config.backendType);
      backend.check(config);
      const host = await observeHost(kernel, { config, backend, options: settings });
      requireOutside(config, host.underlay);
      const claim = claimOf(host, { config, backend, ttl: settings.leaseTtl });
      const previous = readHostState(settings.stateDir)?.previous;
      const found = allocate({ ...claim, config, snapshot, ...(previous === undefined ? {} : { previous }) });
      const lease: Lease = { ...claim, subnet: found.subnet, expires: undefined, revision: 0 };
      const view = {
        ...makeView(snapshot, { node: host.node, network: config }),
        own: lease,
      };
      const plan = backend.plan(view, host);
      const device = backend.device(config);
      const sysctls = plan.objects.filter((o) => o.kind === "sysctl").map((o) => o.name);
      const actual = await kernel.dump({ links: [device], sysctls });
      const owner = { alias: aliasOf(host.node), links: [device], network: formatCidr(config.network) };
      const summary = {
        store: store.url,
        startsNetwork: started,
        network: formatCidr(config.network),
        subnet: lease.subnet,
        device,
        mtu: backend.mtu(config, host),
      };
      const refused = [...view.refused, ...plan.refused];
      show(format, { summary, plan, refused, actual, owner });
      return exit.done;
    }));
}

interface Shown {
  readonly summary: { readonly [key: string]: string | number | boolean };
  readonly plan: Plan;
  readonly refused: readonly Refusal[];
  readonly actual: readonly KernelObject[];
  readonly owner: Parameters<typeof drift>[2];
}

function show(format: Format, { summary, plan, refused, actual, owner }: Shown): void {
  const { changes, conflicts } = drift(plan.objects, actual, owner);
  const commands = toCommands(changes);
  const inTheWay = conflicts.map((one) => ({
    code: one.code,
    wanted: describe(one.wanted),
    found: describe(one.found),
  }));
  if (format.kind === "json") {
    return printJson("plan", {
      ...summary,
      commands: commands as Json,
      conflicts: inTheWay as unknown as Json,
      refused: refused as unknown as Json,
    });
  }
  if (format.kind === "value") return print(valueOf(summary, format.field));
  if (format.kind === "commands") return commands.length > 0 ? print(commands.join("\n")) : undefined;
  const lines = [
    `network  ${summary["network"]}${summary["startsNetwork"] ? " (would be started)" : ""} in ${
      summary["store"]
    }`,
    `lease    ${summary["subnet"]}`,
    `device   ${summary["device"]} mtu ${summary["mtu"]}`,
    `peers    ${plan.peers.length}, ${refused.length} refused`,
    ...refused.map((one) => `refused  ${one.subnet} ${one.code}: ${one.reason}`),
    ...inTheWay.map((one) => `conflict ${one.code}: ${one.found} stands in the way of ${one.wanted}`),
    commands.length === 0 ? "changes  none" : `changes  ${changes.length}`,
    ...commands.map((line) => `  ${line}`),
  ];
  print(lines.join("\n"));
}
