/** `flan down`: leave the network, and leave the host as it was before `flan up`. */
import { requireNetAdmin } from "../agent/capability.ts";
import { forgetLease, forgetNetworks, readHostState } from "../agent/host_state.ts";
import { forgetIpsec } from "../agent/ipsec_ledger.ts";
import { noNetwork } from "../agent/network.ts";
import { readJoined, removeJoined } from "../agent/joined.ts";
import { forgetPlanes } from "../agent/planes.ts";
import { makeRunDir } from "../agent/lock.ts";
import { removeSubnetEnv } from "../agent/subnet_env.ts";
import { release } from "../lease/release.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { type Context, subnetFileOf, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { stays } from "./lease_changed.ts";
import { print } from "./output.ts";
import type { Remain } from "./remains.ts";
import { removeFromKernel, type Self, type Unseen } from "./remove.ts";
import type { SettingKey, Settings } from "./settings.ts";
import { stopAgent } from "./stop_agent.ts";

export function command(run: Runner): Command {
  const options = [new Option("--keep-lease", "leave the lease in the store, for a host that comes back")];
  const settings: readonly SettingKey[] = ["subnetFile"];
  return leaf(
    {
      name: "down",
      summary: "Leave: remove exactly what flan made, and release the lease",
      options,
      settings,
    },
    run,
    runDown,
  );
}

async function runDown({ context, flags }: Call): Promise<number> {
  requireNetAdmin("take the network away");
  const { settings } = context;
  // What cannot be read must be said while everything still works.
  formerSelf(context);
  makeRunDir(settings.runDir);
  const { lock, stopped } = await stopAgent(context);
  try {
    const self = formerSelf(context);
    const { subnetFile, sharedSubnetFile } = subnetFileOf(settings);
    const files = removeSubnetEnv(subnetFile, { shared: sharedSubnetFile });
    const { findInIptables, removeFromIptables } = await import("../agent/host_kernel.ts");
    const unseen: Unseen = {
      remove: (owner) => removeFromIptables(owner, context.log),
      find: () => findInIptables(context.log),
    };
    let hooksHidden: FlanError | undefined;
    const unseenHooks = (error: FlanError) => hooksHidden = error;
    const { removed, left } = await withKernel(
      context,
      (kernel) => removeFromKernel(kernel, self, unseen),
      { unseenHooks },
    );
    // The kernel first: a store that is away must not keep the host from being cleaned.
    const released = self === undefined || flags["keepLease"] === true
      ? []
      : await releaseLease(context, self);
    const done = [
      ...stopped,
      ...files.map((file) => `removed ${file}`),
      ...removed,
      ...released,
    ];
    print(done.length === 0 ? "nothing to do" : done.join("\n"));
    if (left.length > 0) throw remains(left, { self, settings });
    // Everything else is gone; what this host was in the network is kept for the next down.
    if (hooksHidden !== undefined) throw hooksHidden;
    if (self?.isRecorded) await forgetNetworks(settings.stateDir);
    forgetPlanes(settings.stateDir);
    forgetIpsec(settings.stateDir);
    removeJoined(settings.runDir);
    return exit.done;
  } finally {
    lock.release();
  }
}

interface FormerSelf extends Self {
  /** Whether its state directory says so. */
  readonly isRecorded: boolean;
}

/**
 * Who this host was in the network: as its state directory says or, where that is lost or damaged, as it joined.
 * Throws what reading them does where neither says it.
 */
function formerSelf({ settings, log }: Context): FormerSelf | undefined {
  const { node, device = "", found: { network } = {} } = readJoined(settings.runDir) ?? {};
  const joined = network === undefined ? [] : [network];
  try {
    const state = readHostState(settings.stateDir);
    if (state !== undefined) {
      return { ...state, isRecorded: true, device, networks: [...state.networks, ...joined] };
    }
  } catch (error) {
    if (node === undefined) throw error;
    log.log("warning", `Going by what this host joined with: ${messageOf(error)}`);
  }
  if (node === undefined) return undefined;
  return { node, isRecorded: false, device, macs: {}, leasedIn: undefined, networks: joined };
}

function remains(
  left: readonly Remain[],
  { self, settings }: { self: Self | undefined; settings: Settings },
): FlanError {
  const names = left.map(({ what }) => what).join(", ");
  const commands = left.map(({ command }) => command).join("; ");
  const whose =
    `neither ${settings.stateDir}/host.json nor ${settings.runDir}/joined.json is there to say whose that is`;
  const [why, hint] = self === undefined
    ? [whose, `if no other flan in this network namespace made it: ${commands}`]
    : ["the alias by which flan knows its own links was taken from it", commands];
  return new FlanError(`Cannot remove ${names}: ${why}`, { op: "down", code: "failed", hint });
}

/** Gives back what the host holds, as `flan lease release` does, and returns a line for each subnet. */
async function releaseLease(context: Context, { node, leasedIn }: Self): Promise<string[]> {
  try {
    return await withStore(context, async (store) => {
      const snapshot = await store.read();
      const isKnown = snapshot.records.some((record) => record.node === node);
      if (!isKnown && snapshot.config === undefined && leasedIn === store.url) throw noNetwork(store.url);
      const released = await release(store, { node }, context);
      if (leasedIn !== undefined) await forgetLease(context.settings.stateDir);
      return released.map((one) => `released lease ${one.subnet}${stays(one, node)}`);
    });
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    throw new FlanError(`The host is clean, but its lease was not released: ${error.message}`, {
      op: "down",
      code: error.code,
      cause: error,
      hint: "run flan down again when the store is there; the lease ends by itself otherwise",
    });
  }
}
