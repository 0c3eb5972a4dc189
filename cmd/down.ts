/** `flan down`: leave the network, and leave the host as it was before `flan up`. */
import { requireNetAdmin } from "../agent/capability.ts";
import { askAgent } from "../agent/control.ts";
import { type HostState, readHostState } from "../agent/host_state.ts";
import { removeJoined } from "../agent/joined.ts";
import { type AgentLock, lockAgent, lockHolder, makeRunDir, tryLockAgent } from "../agent/lock.ts";
import { removeSubnetEnv } from "../agent/subnet_env.ts";
import { aliasOf } from "../kernel/state.ts";
import { describe } from "../kernel/state.ts";
import { teardown } from "../kernel/teardown.ts";
import { keySubnet } from "../lease/key.ts";
import { release } from "../lease/manager.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import { type AnyCommand, Option, type Runner } from "./cli.ts";
import { type Context, socketOf, subnetFileOf, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { print } from "./output.ts";
import type { SettingKey } from "./settings.ts";

/** An agent that does not stop in this time is killed; the kernel keeps what it made, and we take it away. */
const STOP_MS = 5000;

export function command(run: Runner): AnyCommand {
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
  makeRunDir(settings.runDir);
  const { lock, stopped } = await takeLock(context);
  try {
    const { subnetFile, sharedSubnetFile } = subnetFileOf(settings);
    const files = removeSubnetEnv(subnetFile, { shared: sharedSubnetFile });
    const state = readHostState(settings.stateDir);
    const removed = state === undefined ? [] : await removeFromKernel(context, state);
    // The kernel first: a store that is away must not keep the host from being cleaned.
    const released = state === undefined || flags["keepLease"] === true
      ? undefined
      : await releaseLease(context, state.node);
    const done = [
      ...stopped,
      ...files.map((file) => `removed ${file}`),
      ...removed,
      ...(released === undefined ? [] : [`released ${released}`]),
    ];
    print(done.length === 0 ? "nothing to do" : done.join("\n"));
    removeJoined(settings.runDir);
    return exit.done;
  } finally {
    lock.release();
  }
}

/** Stops a running agent and takes its lock, so that none starts while we clean up. */
async function takeLock(context: Context): Promise<{ lock: AgentLock; stopped: string[] }> {
  const { settings, clock } = context;
  const free = tryLockAgent(settings.runDir);
  if (free !== undefined) return { lock: free, stopped: [] };
  const pid = lockHolder(settings.runDir);
  await askAgent(socketOf(settings), { op: "stop", clock }).catch((error) => {
    context.log.log("warning", `The agent does not listen: ${messageOf(error)}`, { pid });
  });
  const locked = lockAgent(settings.runDir);
  const late = new AbortController();
  const patience = clock.sleep(STOP_MS, late.signal).then(() => undefined);
  let lock = await Promise.race([locked, patience]);
  if (lock === undefined) {
    // Read again: at first the holder may not have written its number yet.
    const deaf = lockHolder(settings.runDir);
    if (deaf !== undefined) Deno.kill(deaf, "SIGKILL");
    lock = await locked;
  }
  late.abort();
  return { lock, stopped: [`stopped the agent (process ${pid ?? "unknown"})`] };
}

async function removeFromKernel(context: Context, { node, macs }: HostState): Promise<string[]> {
  const owner = { alias: aliasOf(node), links: [], macs: Object.values(macs) };
  return await withKernel(context, async (kernel) => {
    const { removed, failures } = await teardown(kernel, owner);
    if (failures[0] !== undefined) throw failures[0].error;
    const links = removed.filter((object) => object.kind === "link").map((object) =>
      `removed ${describe(object)}`
    );
    const others = removed.length - links.length;
    return others === 0
      ? links
      : [...links, `removed ${others} routes, nexthops, neighbours, FDB entries and addresses`];
  });
}

async function releaseLease(context: Context, node: string): Promise<string | undefined> {
  try {
    return await withStore(context, async (store) => {
      const snapshot = await store.read();
      const own = snapshot.records.find((record) => record.node === node);
      if (own === undefined) return undefined;
      await release(store, { node });
      return `lease ${keySubnet(own.key)}`;
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
