/** `flan up --dry-run`: the lease that would be taken and every change to the kernel, and nothing is touched. */
import { needsOf } from "../agent/firewall.ts";
import { claimOf } from "../agent/keeping/keeper.ts";
import { observeHost } from "../agent/host.ts";
import { readHostState } from "../agent/host_state.ts";
import { joinedOver } from "../agent/joined.ts";
import { networkIn, requireEncrypted, requireFit } from "../agent/network.ts";
import { toCommands } from "../kernel/commands.ts";
import type { Feature, Kernel } from "../kernel/kernel.ts";
import { describe } from "../kernel/state.ts";
import { allocate, type AllocateRequest, keptInstead } from "../lease/allocate.ts";
import type { Lease } from "../lease/lease.ts";
import { type Claim, plannedLease } from "../lease/manager.ts";
import type { Store } from "../lease/store.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { type Context, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { requireAgreement, startingConfig } from "./network_settings.ts";
import { requireApart } from "./start_network.ts";
import { type Looked, withLook } from "./looking.ts";
import { compare, type Observation } from "./observe.ts";
import { type Format, print, printJson, valueOf } from "./output.ts";

export async function dryRun(
  context: Context,
  { format, allowOverlap }: { format: Format; allowOverlap: boolean },
): Promise<number> {
  if (format.kind === "env") {
    throw invalid(
      "cli",
      `Cannot print format "env" with --dry-run: table, json, commands or value=FIELD is needed`,
    );
  }
  return await withStore(context, (store) =>
    withLook(context, async (looked) => {
      show(format, await foresee(context, { ...looked, store, allowOverlap }));
      return exit.done;
    }));
}

type Summary = Readonly<Record<string, string | number | boolean>>;

export interface Foreseen {
  readonly summary: Summary;
  readonly observed: Observation;
  /** Why this host could not join, undefined where it has all that the backend needs. */
  readonly lacks: FlanError | undefined;
}

/** What would be done, from one look at store and kernel. Throws what a join would, but for what this host lacks. */
export async function foresee(
  { settings, sources, clock }: Pick<Context, "settings" | "sources" | "clock">,
  { store, allowOverlap, ...looked }: Looked & { store: Store; allowOverlap: boolean },
): Promise<Foreseen> {
  const { kernel } = looked;
  const snapshot = await store.read();
  const there = await kernel.dump({ links: [], sysctls: [] });
  const started = snapshot.config === undefined;
  const config = snapshot.config ?? { value: startingConfig({ settings, clock }, there), revision: 0 };
  const network = { snapshot, ...networkIn({ ...snapshot, config }, store.url) };
  if (!started) requireAgreement({ settings, sources }, network.config, store.url);
  requireEncrypted(network, settings);
  const options = { ...settings, former: joinedOver(settings.runDir) };
  const host = await observeHost(kernel, { ...network, options, objects: there, clock });
  requireFit(network, host);
  if (!allowOverlap) {
    requireApart(network.config, { objects: there, store: store.url, stateDir: settings.stateDir });
  }
  const claim = claimOf(host, { ...network, ttl: settings.leaseTtl });
  const { previous, previous6 } = readHostState(settings.stateDir) ?? {};
  const own = foreseenLease({ ...claim, config: network.config, snapshot, previous, previous6 });
  const objects = await kernel.dump({ links: network.devices, sysctls: [] });
  const observed = await compare(looked, { network, host, settings, objects, own });
  const summary = {
    store: store.url,
    startsNetwork: started,
    network: formatCidr(network.config.network),
    ...(network.config.ipv6 === undefined ? {} : { network6: formatCidr(network.config.ipv6.network) }),
    subnet: own.subnet,
    ...(own.subnet6 === undefined ? {} : { subnet6: own.subnet6 }),
    device: network.devices[0] ?? "",
    mtu: network.backend.mtu(network.config, host),
  };
  return { summary, observed, lacks: await lackedFor(kernel, needsOf(network, settings)) };
}

function foreseenLease(request: Claim & AllocateRequest): Lease {
  try {
    return plannedLease(request, allocate(request));
  } catch (error) {
    return plannedLease(request, keptInstead(error, request));
  }
}

/** The plan is worth seeing anyway. */
async function lackedFor(kernel: Kernel, needs: readonly Feature[]): Promise<FlanError | undefined> {
  try {
    await kernel.require(needs);
    return undefined;
  } catch (error) {
    if (error instanceof FlanError) return error;
    throw error;
  }
}

function hintOf({ hint }: FlanError): string {
  return hint === undefined ? "" : ` (${hint})`;
}

function show(format: Format, { summary, observed, lacks }: Foreseen): void {
  const { plan, view, drift: { changes, conflicts } } = observed;
  const refused = [...view.refused, ...plan.refused];
  const commands = toCommands(changes);
  const inTheWay = conflicts.map((one) => ({
    code: one.code,
    wanted: describe(one.wanted),
    found: describe(one.found),
  }));
  if (format.kind === "json") {
    return printJson("plan", {
      ...summary,
      lacks: lacks === undefined ? null : lacks.message,
      commands: commands as Json,
      conflicts: inTheWay as unknown as Json,
      refused: refused as unknown as Json,
    });
  }
  if (lacks !== undefined && format.kind !== "table") {
    console.error(`flan: ${lacks.message}`);
    if (lacks.hint !== undefined) console.error(`hint: ${lacks.hint}`);
  }
  if (format.kind === "value") return print(valueOf(summary, format.field));
  if (format.kind === "commands") return commands.length > 0 ? print(commands.join("\n")) : undefined;
  const lines = [
    `network  ${summary["network"]}${summary["startsNetwork"] ? " (would be started)" : ""} in ${
      summary["store"]
    }`,
    `lease    ${summary["subnet"]}`,
    `device   ${summary["device"] || "none,"} mtu ${summary["mtu"]}`,
    ...(lacks === undefined ? [] : [`lacks    ${lacks.message}${hintOf(lacks)}`]),
    `peers    ${plan.peers.length}, ${refused.length} refused`,
    ...refused.map((one) => `refused  ${one.subnet} ${one.code}: ${one.reason}`),
    ...inTheWay.map((one) => `conflict ${one.code}: ${one.found} stands in the way of ${one.wanted}`),
    commands.length === 0 ? "changes  none" : `changes  ${changes.length}`,
    ...commands.map((line) => `  ${line}`),
  ];
  print(lines.join("\n"));
}
