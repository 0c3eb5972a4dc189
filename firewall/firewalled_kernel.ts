/** A kernel together with its packet filter: flan's rules are objects like all others. */
import type { Change, Failure, Kernel, KernelEvent } from "../kernel/kernel.ts";
import { isFirewalls } from "../kernel/relations.ts";
import { describe } from "../kernel/state.ts";
import { inStretches } from "../kernel/stretches.ts";
import { wrapped } from "../kernel/wrapped.ts";
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import { findRuleSet, type FirewallWays } from "./find_rule_set.ts";
import type { FirewallObject, RuleSet } from "./rule_set.ts";

export interface FirewallInit extends FirewallWays {
  /** Told why the packet filter cannot be seen by this user; without it a dump fails then. */
  readonly unseen?: ((error: Error) => void) | undefined;
  readonly log?: Logger | undefined;
}

/**
 * A host without a packet filter that flan can use has no rules, and only what wants some fails. A filter that cannot be
 * read keeps nothing else from being looked after, and is told of in the log.
 */
export function openFirewalledKernel(kernel: Kernel, init: FirewallInit): Kernel {
  const firewall = new Firewall(init);
  return wrapped(kernel, {
    require: async (features) => {
      if (features.includes("firewall")) await firewall.require();
      await kernel.require(features.filter((feature) => feature !== "firewall"));
    },
    dump: async (request) => {
      if (request.linksOnly) return kernel.dump(request);
      const [objects, rules] = await Promise.all([kernel.dump(request), firewall.look()]);
      return rules.length === 0 ? objects : [...objects, ...rules];
    },
    apply: (changes) =>
      inStretches(changes, {
        isMine: ({ object }) => isFirewalls(object),
        mine: (stretch) => firewall.apply(stretch),
        others: (stretch) => kernel.apply(stretch),
      }),
    events: (signal) => concerning(kernel.events(signal), firewall),
  });
}

/** On a busy host most transactions are about other rules; those are kept from whoever would look at everything. */
async function* concerning(
  events: AsyncIterable<KernelEvent>,
  firewall: Firewall,
): AsyncGenerator<KernelEvent> {
  for await (const event of events) {
    if (event.group === "firewall" && !event.own && !await firewall.hasChanged()) continue;
    yield event;
  }
}

class Firewall {
  readonly #init: FirewallInit;
  #rules: RuleSet | undefined;
  /** What was read last. */
  #found: readonly FirewallObject[] = [];
  /** The same as text; undefined where it is older than a change of this process, or could not be read since. */
  #seen: string | undefined;
  /** Whether a look found it changed before any event told so. */
  #foundFirst = false;
  /** Why it could not be read, so that the log says so once. */
  #trouble = "";

  constructor(init: FirewallInit) {
    this.#init = init;
  }

  /** Throws what {@link findRuleSet} does. */
  async require(): Promise<RuleSet> {
    return this.#rules ??= await findRuleSet(this.#init);
  }

  /** Where it cannot be read, what was there last stands: rules and chains that nobody sees any more are not gone. */
  async look(): Promise<readonly FirewallObject[]> {
    try {
      this.#found = await (await this.require()).read();
      const before = this.#seen;
      this.#seen = JSON.stringify(this.#found);
      this.#foundFirst ||= before !== undefined && this.#seen !== before;
      this.#trouble = "";
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      this.#seen = undefined;
      this.#tell(error);
    }
    return this.#found;
  }

  async hasChanged(): Promise<boolean> {
    const before = this.#seen;
    const wasFoundFirst = this.#foundFirst;
    this.#foundFirst = false;
    if (wasFoundFirst || before === undefined || this.#rules === undefined) return true;
    try {
      const found = await this.#rules.read();
      const now = JSON.stringify(found);
      // Each change is told once, also to those who only listen. What was applied meanwhile is looked at anew.
      if (this.#seen === before) [this.#found, this.#seen] = [found, now];
      return now !== before;
    } catch {
      // Why is told by the look that follows.
      return true;
    }
  }

  async apply(changes: readonly Change[]): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (const change of changes) {
      const { verb, object } = change;
      if (!isFirewalls(object)) continue;
      this.#seen = undefined;
      try {
        await (await this.require()).apply({ verb, object });
      } catch (error) {
        if (!(error instanceof FlanError)) throw error;
        failures.push({ change, error: refused({ verb, object }, error) });
      }
    }
    return failures;
  }

  #tell(error: FlanError): void {
    const { unseen, log } = this.#init;
    if (error.code === "not-permitted") {
      if (unseen === undefined) throw error;
      return unseen(error);
    }
    const message = messageOf(error);
    // Without any packet filter there is nothing to be seen, and nothing to be said.
    if (error.code !== "unsupported" && message !== this.#trouble) log?.log("warning", message);
    this.#trouble = message;
  }
}

const verbs = { add: "add", replace: "change", delete: "delete" } as const;

function refused({ verb, object }: Change, error: FlanError): KernelError {
  const errno = error instanceof KernelError ? error.errno : "";
  const { op, code, hint } = error;
  const message = `Cannot ${verbs[verb]} ${describe(object)}: ${messageOf(error)}`;
  return new KernelError(message, errno, { op, code, hint });
}
