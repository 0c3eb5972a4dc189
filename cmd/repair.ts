/** `flan routes repair`: makes the kernel as planned, once; by the agent where one runs, so that there is one writer. */
import { requireNetAdmin } from "../agent/capability.ts";
import { needsOf } from "../agent/firewall.ts";
import { makeRunDir, tryLockAgent } from "../agent/lock.ts";
import { askRepair, type RepairDocument, repairDocument } from "../agent/repair_document.ts";
import { toCommands } from "../kernel/commands.ts";
import { describe, keyOf } from "../kernel/state.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { printable } from "../net/text.ts";
import { type Context, socketOf } from "./context.ts";
import { exit } from "./exit.ts";
import { objectsFor } from "./explain_facts.ts";
import { halvesOf } from "./halves.ts";
import type { Call } from "./leaf.ts";
import { observe, type Observed, withObservation } from "./observe.ts";
import { printFolded, printJson } from "./output.ts";
import { noLease } from "./own_lease.ts";
import { subnetArgument } from "./subnet_argument.ts";

export async function repairRoutes({ context, format, args }: Call): Promise<number> {
  const subnet = args[0] === undefined ? undefined : subnetArgument("[subnet]", args[0]);
  const { by, ...whole } = await repaired(context, subnet);
  const { done, left } = whole;
  if (format.kind === "json") {
    printJson("routes-repair", { by, done: done as unknown as Json, left: left as unknown as Json });
  } else if (done.length + left.length === 0) console.error("nothing to do: the kernel is as planned");
  else {
    printFolded([
      ...done.map(({ did, object }) => `${did.padEnd(7)}  ${object}`),
      ...left.map(({ object, why }) => `left     ${object}: ${printable(why, 2000)}`),
    ].join("\n"));
  }
  if (left.some(({ code }) => code === "kernel-refuses")) return exit.failed;
  return left.length > 0 ? exit.no : exit.done;
}

type Repaired = RepairDocument & { readonly by: "agent" | "command" };

async function repaired(context: Context, subnet: string | undefined): Promise<Repaired> {
  const { settings, clock } = context;
  const told = await askRepair(socketOf(settings), { clock });
  if (told === undefined) return { ...await repairAlone(context, subnet), by: "command" };
  if (told === null) throw busy(settings.runDir);
  // What the agent does is named by key; which of them concern the subnet, and what is nobody's to repair, is seen here.
  const observed = await observe(context);
  const keys = subnet === undefined ? undefined : keysFor(observed, subnet);
  const concerns = ({ key }: { key: string }) => keys === undefined || keys.has(key);
  const left = [...told.left.filter(concerns), ...othersPart(observed, subnet)];
  return { done: told.done.filter(concerns), left, by: "agent" };
}

/** What keeps packets from flowing though the kernel is as planned: whoever made it so has to mend it. */
function othersPart(
  { host: { underlay: { link } }, trouble, overridden }: Pick<Observed, "host" | "trouble" | "overridden">,
  subnet: string | undefined,
): RepairDocument["left"] {
  const overriding = overridden.filter((one) => subnet === undefined || one.subnet === subnet);
  return [
    ...(trouble === undefined ? [] : [{
      key: `link ${link}`,
      object: `underlay ${link}`,
      code: "underlay-missing",
      why: `${trouble}; that is not flan's, and whoever manages ${link} has to mend it`,
    }]),
    ...overriding.map(({ planned, found }) => ({
      key: keyOf(planned),
      object: describe(planned),
      code: "foreign-route",
      why: `${describe(found)} is not flan's and wins over it; whoever made it has to remove it: ${
        toCommands([{ verb: "delete", object: found }]).join("; ")
      }`,
    })),
  ];
}

/** Under the agent's lock, so that none starts meanwhile. */
async function repairAlone(context: Context, subnet: string | undefined): Promise<RepairDocument> {
  requireNetAdmin("repair the network");
  const { runDir, store } = context.settings;
  makeRunDir(runDir);
  const lock = tryLockAgent(runDir);
  if (lock === undefined) throw busy(runDir);
  try {
    return await withObservation(context, async (observed, { kernel, secrets }) => {
      const { view, drift: { changes, conflicts } } = observed;
      if (view.own === undefined) throw noLease(store);
      const keys = subnet === undefined ? undefined : keysFor(observed, subnet);
      await kernel.require(needsOf(observed, { ipMasq: false }));
      secrets.learn(observed);
      const wanted = changes.filter(({ object }) => keys?.has(keyOf(object)) ?? true);
      const failures = wanted.length === 0 ? [] : await kernel.apply(wanted);
      const refused = new Set(failures.map(({ change }) => change));
      const { done, left } = repairDocument({
        done: wanted.filter((change) => !refused.has(change)),
        conflicts: conflicts.filter((one) => keys?.has(keyOf(one.wanted)) ?? true),
        failures,
        waiting: [],
      });
      return { done, left: [...left, ...othersPart(observed, subnet)] };
    });
  } finally {
    lock.release();
  }
}

function keysFor(observed: Observed, subnet: string): ReadonlySet<string> {
  for (const { plan } of halvesOf(observed)) {
    const peer = plan.peers.find(({ lease }) => lease.subnet === subnet);
    if (peer !== undefined) return new Set(objectsFor(plan.objects, peer).map(keyOf));
  }
  throw new FlanError(`Cannot repair ${subnet}: no peer of this host has it`, {
    op: "routes.repair",
    code: "no",
    hint: "flan routes lists them",
  });
}

function busy(runDir: string): FlanError {
  return new FlanError(`Cannot repair: an agent is just starting or stopping in ${runDir}`, {
    op: "routes.repair",
    code: "failed",
    hint: "try again in a moment",
  });
}
