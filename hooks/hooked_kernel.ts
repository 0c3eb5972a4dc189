/** A kernel together with the network's own commands: what they did is seen, made and taken away like all other objects. */
import type { Change, Failure, Kernel } from "../kernel/kernel.ts";
import { hookEnvironment } from "../kernel/hook.ts";
import { type Hook, keyOf } from "../kernel/state.ts";
import { inStretches } from "../kernel/stretches.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import { readHooks, writeHooks } from "./kept_hooks.ts";
import { runCommand } from "./run_command.ts";

/** After this time the other commands of one apply wait for the next one: whoever applies has more to do. */
const TURN_MS = 20_000;

export interface HookedInit {
  /** Where it is kept what the commands did. */
  readonly file: string;
  readonly clock: Clock;
  /** Whether this host was told to run the network's commands: whoever writes to the store can choose them. */
  readonly allowed: boolean;
}

/**
 * The inner kernel with hooks. A command that succeeded is not run again, by a later process neither; one that failed
 * is a failure of its change. Commands run one after another, in the order of the changes.
 */
export function openHookedKernel(kernel: Kernel, { file, clock, allowed }: HookedInit): Kernel {
  return {
    require: async (features) => {
      if (features.includes("hooks") && !allowed) throw notAllowed();
      await kernel.require(features.filter((feature) => feature !== "hooks"));
    },
    dump: async (request) => {
      const objects = await kernel.dump(request);
      const hooks = readHooks(file);
      return hooks.size === 0 ? objects : [...objects, ...hooks.values()];
    },
    apply: (changes) =>
      inStretches(changes, {
        isMine: ({ object }) => object.kind === "hook",
        mine: (stretch) => applyHooks(stretch, { file, clock }),
        others: (stretch) => kernel.apply(stretch),
      }),
    events: (signal) => kernel.events(signal),
    routeGet: (destination) => kernel.routeGet(destination),
    routeMatch: (destination, query) => kernel.routeMatch(destination, query),
    close: () => kernel.close(),
  };
}

function notAllowed(): FlanError {
  return new FlanError(
    "Cannot run the commands of the network's extension backend: this host was not told to",
    {
      op: "kernel.require",
      code: "not-permitted",
      hint: "flan config get shows them; flan up --backend extension runs them",
    },
  );
}

async function applyHooks(
  changes: readonly Change[],
  { file, clock }: { file: string; clock: Clock },
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  const kept = readHooks(file);
  const until = clock.monotonic() + TURN_MS;
  for (const change of changes) {
    const { verb, object } = change;
    if (object.kind !== "hook") continue;
    const before = kept.get(keyOf(object));
    try {
      if (clock.monotonic() >= until) throw new Error("the commands before it took too long");
      if (verb === "add" && before !== undefined) throw new Error("it is set up already");
      if (verb !== "add" && before !== undefined) {
        await run(before, { command: before.remove, purpose: "take away", clock });
        kept.delete(keyOf(object));
        await writeHooks(file, kept);
      }
      if (verb === "delete") continue;
      await run(object, { command: object.add, purpose: "set up", clock });
      kept.set(keyOf(object), object);
      await writeHooks(file, kept);
    } catch (error) {
      failures.push({ change, error: failureOf(error, object) });
    }
  }
  return failures;
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
  return new KernelError(message, "", { op: "hook.run", code: "failed" });
}
