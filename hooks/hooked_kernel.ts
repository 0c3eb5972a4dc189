/** A kernel together with the network's own commands: what they did is seen, made and taken away like all other objects. */
import type { Change, Failure, Kernel } from "../kernel/kernel.ts";
import { hookEnvironment } from "../kernel/hook.ts";
import { type Hook, keyOf, sameObject } from "../kernel/state.ts";
import { inStretches } from "../kernel/stretches.ts";
import { wrapped } from "../kernel/wrapped.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import { readHooks, requireRoom, writeHooks } from "./kept_hooks.ts";
import { runCommand } from "./run_command.ts";

/** After this time the other commands of one apply wait for the next one: whoever applies has more to do. */
const TURN_MS = 5_000;

/** A removal that failed so often is given up: what it would take away may be gone, and so may its peer. */
const REMOVALS = 3;

export interface HookedInit {
  /** Where it is kept what the commands did. */
  readonly file: string;
  readonly clock: Clock;
  /** Whether this host was told to run the network's commands: whoever writes to the store can choose them. */
  readonly allowed: boolean;
  /** Told of what is given up. */
  readonly log?: Logger | undefined;
  /** Told, in place of the log, why it cannot be seen what the commands did; then nothing of it is in a dump. */
  readonly unseen?: ((error: FlanError) => void) | undefined;
  /** Told at each look that sees it. */
  readonly seen?: (() => void) | undefined;
}

/**
 * The inner kernel with hooks. A command that succeeded is not run again, by a later process neither; one that failed
 * is a failure of its change. Commands run one after another, in the order of the changes.
 */
export function openHookedKernel(kernel: Kernel, { file, clock, allowed, log, ...told }: HookedInit): Kernel {
  const refused: Refusals = new Map();
  const seen = new SeenHooks({ file, log, ...told });
  return wrapped(kernel, {
    require: async (features) => {
      if (features.includes("hooks") && !allowed) throw notAllowed();
      await kernel.require(features.filter((feature) => feature !== "hooks"));
    },
    dump: async (request) => {
      const objects = await kernel.dump(request);
      if (request.linksOnly) return objects;
      const hooks = seen.read();
      return hooks.size === 0 ? objects : [...objects, ...hooks.values()];
    },
    apply: (changes) =>
      inStretches(changes, {
        isMine: ({ object }) => object.kind === "hook",
        mine: (stretch) => applyHooks(stretch, { file, clock, log, refused }),
        others: (stretch) => kernel.apply(stretch),
      }),
  });
}

/** What is kept, for those who look; one that cannot be read keeps nobody from looking at everything else. */
class SeenHooks {
  readonly #init: Pick<HookedInit, "file" | "log" | "unseen" | "seen">;
  /** Why it could not be read last, so that the log says so once. */
  #trouble = "";

  constructor(init: Pick<HookedInit, "file" | "log" | "unseen" | "seen">) {
    this.#init = init;
  }

  read(): ReadonlyMap<string, Hook> {
    try {
      const hooks = readHooks(this.#init.file);
      this.#trouble = "";
      this.#init.seen?.();
      return hooks;
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      this.#tell(error);
      return new Map();
    }
  }

  #tell(error: FlanError): void {
    const { log, unseen } = this.#init;
    if (unseen !== undefined) return unseen(error);
    const { message, hint } = error;
    if (message !== this.#trouble) log?.log("warning", message, hint === undefined ? {} : { hint });
    this.#trouble = message;
  }
}

function notAllowed(): FlanError {
  return new FlanError(
    "Cannot run the commands of the network's extension backend: this host was not told to",
    {
      op: "kernel.require",
      code: "not-permitted",
      hint:
        "flan config get shows them; flan up --backend extension runs them, or FLAN_BACKEND=extension for other commands",
    },
  );
}

/** How often the removal of a hook failed in this process, by its key. */
type Refusals = Map<string, number>;

interface Bench extends Pick<HookedInit, "file" | "clock" | "log"> {
  readonly refused: Refusals;
}

async function applyHooks(changes: readonly Change[], bench: Bench): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  let kept: Map<string, Hook>;
  try {
    kept = readHooks(bench.file);
  } catch (error) {
    // Whoever does not know what was done can neither do it nor undo it; what is no hook goes on.
    return changes.flatMap((change) =>
      change.object.kind === "hook" ? [{ change, error: failureOf(error, change.object) }] : []
    );
  }
  const until = bench.clock.monotonic() + TURN_MS;
  for (const [i, change] of changes.entries()) {
    const { object } = change;
    if (object.kind !== "hook") continue;
    // At least one gets its turn each time.
    if (i > 0 && bench.clock.monotonic() >= until) {
      const error = failureOf(new Error("it waits for the commands before it"), object);
      failures.push({ change, error, later: true });
      continue;
    }
    try {
      await applyHook(change.verb, { hook: object, kept, bench });
    } catch (error) {
      failures.push({ change, error: failureOf(error, object) });
    }
  }
  return failures;
}

async function applyHook(
  verb: Change["verb"],
  { hook, kept, bench }: { hook: Hook; kept: Map<string, Hook>; bench: Bench },
): Promise<void> {
  const key = keyOf(hook);
  const before = kept.get(key);
  if (verb === "add" && before !== undefined) throw new Error("it is set up already");
  if (verb === "replace" && before !== undefined && sameObject({ ...before, remove: hook.remove }, hook)) {
    requireRoom(bench.file, hook, before);
    // It stands as it was made; only how it is taken away is another command now.
    return await keep(kept.set(key, hook), bench);
  }
  if (verb !== "delete") requireRoom(bench.file, hook, before);
  if (verb !== "add" && before !== undefined) await takeAway(before, { kept, bench });
  if (verb === "delete") return;
  await run(hook, { command: hook.add, purpose: "set up", clock: bench.clock });
  await keep(kept.set(key, hook), bench);
}

/** Throws where the command fails. When it has failed too often, nothing is known of the hook any more. */
async function takeAway(
  hook: Hook,
  { kept, bench }: { kept: Map<string, Hook>; bench: Bench },
): Promise<void> {
  const key = keyOf(hook);
  const { refused, clock, log } = bench;
  try {
    await run(hook, { command: hook.remove, purpose: "take away", clock });
  } catch (error) {
    const times = (refused.get(key) ?? 0) + 1;
    refused.set(key, times);
    if (times < REMOVALS) throw error;
    refused.delete(key);
    kept.delete(key);
    await keep(kept, bench);
    const message = `${messageOf(error)}; it is given up after ${times} attempts, and what was made stays`;
    log?.log("warning", message, { command: hook.remove });
    throw new FlanError(message, { op: "hook.run", code: "failed", cause: error });
  }
  refused.delete(key);
  kept.delete(key);
  await keep(kept, bench);
}

async function keep(kept: ReadonlyMap<string, Hook>, { file }: Bench): Promise<void> {
  await writeHooks(file, kept);
}

async function run(
  hook: Hook,
  { command, purpose, clock }: { command: string; purpose: string; clock: Clock },
): Promise<void> {
  if (command === "") return;
  await runCommand({
    command,
    env: hookEnvironment(hook),
    stdin: `${hook.data}\n`,
    clock,
    purpose: `${purpose} subnet ${hook.subnet} of ${hook.publicIp}`,
  });
}

function failureOf(error: unknown, { subnet }: Hook): KernelError {
  const message = error instanceof FlanError
    ? error.message
    : `Cannot run the command for subnet ${subnet}: ${messageOf(error)}`;
  const hint = error instanceof FlanError ? error.hint : undefined;
  return new KernelError(message, "", { op: "hook.run", code: "failed", hint });
}
