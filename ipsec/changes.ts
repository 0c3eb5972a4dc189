/** Carries out what a plan wants of IPsec's states and policies. */
import type { Change, Failure } from "../kernel/kernel.ts";
import type { Secrets } from "../kernel/secrets.ts";
import { describe } from "../kernel/state.ts";
import type { XfrmPolicy, XfrmState } from "../kernel/xfrm.ts";
import type { KeyLedger, SpentKey, XfrmChange, XfrmTables } from "../kernel/xfrm_tables.ts";
import { FlanError, KernelError } from "../net/errors.ts";
import { fingerprint } from "../net/fingerprint.ts";
import { deriveKey } from "../net/ipsec_key.ts";

export interface IpsecInit {
  readonly tables: XfrmTables;
  readonly secrets: Secrets;
  readonly ledger: KeyLedger;
}

/** A change of the plan, and what the kernel is told for it; or why it is not told. */
type Step =
  | { readonly change: Change; readonly told: readonly XfrmChange[]; readonly spent?: SpentKey }
  | Failure;

/**
 * Resolves to the failures. Keys are noted as given before the kernel gets one of them, since nobody knows how far the
 * kernel got when this process ends in between. `changes` are of states and policies only.
 */
export async function applyXfrms(
  changes: readonly Change[],
  { tables, secrets, ledger }: IpsecInit,
): Promise<readonly Failure[]> {
  const steps = changes.map((change): Step => stepOf(change, secrets));
  const spent = steps.flatMap((step) => "spent" in step && step.spent !== undefined ? [step.spent] : []);
  const answer = spent.length === 0 ? [] : await ledger.spend(spent).catch(whyNot);
  const why = typeof answer === "string" ? answer : USED;
  const used = new Set(spent.filter((_, i) => typeof answer === "string" || !answer[i]));
  const failures: Failure[] = [];
  const told: { change: Change; one: XfrmChange }[] = [];
  for (const step of steps) {
    if ("error" in step) failures.push(step);
    else if (step.spent !== undefined && used.has(step.spent)) failures.push(failureOf(step.change, why));
    else told.push(...step.told.map((one) => ({ change: step.change, one })));
  }
  const answers = told.length === 0 ? [] : await tables.write(told.map(({ one }) => one));
  wipe(steps);
  const failed = new Set<Change>();
  answers.forEach((error, i) => {
    const { change } = told[i]!;
    if (error === undefined || failed.has(change)) return;
    failed.add(change);
    failures.push({ change, error });
  });
  return failures;
}

const USED = "its key was given to the kernel before, so this host announces another nonce";

/** What needs no key is made all the same. */
function whyNot(error: unknown): string {
  if (!(error instanceof FlanError)) throw error;
  return `it cannot be noted that its key is given: ${error.message}`;
}

function stepOf(change: Change, secrets: Secrets): Step {
  const { verb, object } = change;
  if (object.kind === "xfrm-policy") return { change, told: [{ verb, object }] };
  const state = object as XfrmState;
  if (verb === "delete") return { change, told: [{ verb, object: state }] };
  const { derivation } = state;
  const secret = derivation && secrets.find(derivation.presharedKey);
  if (derivation === undefined || secret === undefined) {
    return failureOf(change, "the network's pre-shared key is not known on this host");
  }
  const key = deriveKey(secret, derivation);
  if (fingerprint(key) !== state.key) return failureOf(change, "its key is not the one that was planned");
  const { epoch, from, to } = derivation;
  const add: XfrmChange = { verb: "add", object: state, key };
  return {
    change,
    // A state has one key for all its life.
    told: verb === "replace" ? [{ verb: "delete", object: state }, add] : [add],
    spent: { fingerprint: state.key, epoch, nonces: [from.nonce, to.nonce] },
  };
}

function wipe(steps: readonly Step[]): void {
  for (const step of steps) {
    if (!("told" in step)) continue;
    for (const one of step.told) if ("key" in one) one.key.fill(0);
  }
}

function failureOf(change: Change, why: string): Failure {
  const text = `Cannot ${change.verb} ${describe(change.object as XfrmState | XfrmPolicy)}: ${why}`;
  return { change, error: new KernelError(text, "", { op: "ipsec", code: "failed" }) };
}
