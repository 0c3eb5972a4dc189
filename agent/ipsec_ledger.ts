/**
 * Which IPsec keys this host has given to a kernel, and the nonce that all of them were derived with: `ipsec.json` in the
 * state directory. AES-GCM is broken by a key that is given twice (see net/ipsec_key.ts), so what is in the ledger is
 * not given again, and who needs such a key needs another nonce. Nothing in it is secret.
 */
import { writeDurably } from "../lease/file/durable_file.ts";
import type { KeyLedger, SpentKey } from "../kernel/xfrm_tables.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import { epochAt, isNonce } from "../net/ipsec_key.ts";
import { v } from "../net/schema.ts";
import { isBootId, readBootId } from "./boot.ts";
import { withStateLock } from "./host_state.ts";
import { readOwnDocument } from "./own_document.ts";

/** Four keys for each of a hundred thousand peers, in each of three epochs. */
const MAX_BYTES = 32 * 1024 * 1024;
const NONCE_BYTES = 16;

/** Where this host stands in its network's keys. */
export interface IpsecFacts {
  /** What is announced, "" where none was made yet. */
  readonly nonce: string;
  readonly epoch: number;
  /** Why both are as they were: without the ledger no key can be given. */
  readonly trouble?: string;
}

const schema = v.object({
  schema: v.literal("flan.ipsec/v1"),
  /** The boot in which the nonce was made, "" where the kernel does not tell. */
  boot: v.union([v.literal(""), v.pipe(v.string(), v.check(isBootId))]),
  nonce: v.pipe(v.string(), v.check((text): boolean => isNonce(text))),
  span: v.pipe(v.number(), v.integer(), v.minValue(1)),
  epoch: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** Epochs of the keys that were given, by fingerprint; of former epochs only the last one's. */
  spent: v.record(v.string(), v.number()),
  /** The addresses that this host had and announced then: of a state with another one the key would be a used one. */
  at: v.optional(v.string(), ""),
  /** Whether a used key was asked for. */
  isWorn: v.optional(v.boolean(), false),
});

type Ledger = v.InferOutput<typeof schema>;

interface When {
  readonly clock: Clock;
  /** Milliseconds of an epoch. */
  readonly span: number;
}

/** What a nonce is for. */
interface Use extends When {
  /** This host's address, and the one that it announces. */
  readonly at: string;
  /** Whether a state of this host's is in the kernel. */
  readonly stands: boolean;
  /** Whether peers cannot be told of another one. */
  readonly isHeld: boolean;
}

/**
 * The nonce and the epoch of now. A nonce is for one boot, one length of epochs and one address, and for no epoch before
 * one that it was used in: the keys of those are forgotten. Where keys were given and no state stands any more, each of
 * them would be a used one. One used key of many waits until peers can be told. So no host needs a used key for what
 * another one does. A clock that is a little behind itself stays in its epoch, in which peers hear it all the same.
 */
export async function ensureIpsec(
  stateDir: string,
  { clock, span, at, stands, isHeld }: Use,
): Promise<IpsecFacts> {
  return await withStateLock(stateDir, async () => {
    const kept = read(stateDir);
    const now = epochAt(clock.now(), span);
    const boot = readBootId() ?? "";
    const isUsable = kept !== undefined && kept.at === at && (isHeld || !kept.isWorn) &&
      (stands || Object.keys(kept.spent).length === 0);
    const goesOn = isUsable && kept.boot === boot && kept.span === span && now >= kept.epoch - 1;
    const epoch = goesOn ? Math.max(now, kept.epoch) : now;
    if (goesOn && epoch === kept.epoch) return { nonce: kept.nonce, epoch };
    const spent = goesOn ? Object.entries(kept.spent).filter(([, of]) => of >= epoch - 1) : [];
    const nonce = goesOn ? kept.nonce : newNonce(clock);
    await write(stateDir, {
      schema: "flan.ipsec/v1",
      boot,
      nonce,
      span,
      epoch,
      spent: Object.fromEntries(spent),
      at,
      isWorn: goesOn && kept.isWorn,
    });
    return { nonce, epoch };
  });
}

/** The same for who only looks: "" where the next agent will make a nonce. */
export function readIpsec(stateDir: string, { clock, span }: When): IpsecFacts {
  const kept = read(stateDir);
  const now = epochAt(clock.now(), span);
  if (kept === undefined || kept.span !== span) return { nonce: "", epoch: now };
  return { nonce: kept.nonce, epoch: now === kept.epoch - 1 ? kept.epoch : now };
}

/** Forgets the nonce, with all keys that it makes: of this host no state is left. */
export function forgetIpsec(stateDir: string): void {
  try {
    Deno.removeSync(fileIn(stateDir));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** See {@link KeyLedger}. */
export class IpsecLedger implements KeyLedger {
  readonly #stateDir: string;
  readonly #clock: Clock;

  constructor(stateDir: string, clock: Clock) {
    this.#stateDir = stateDir;
    this.#clock = clock;
  }

  /** What another boot's kernel was given is gone with it. */
  isThere(): boolean {
    try {
      return read(this.#stateDir)?.boot === (readBootId() ?? "");
    } catch (error) {
      if (error instanceof FlanError) return true;
      throw error;
    }
  }

  spend(keys: readonly SpentKey[]): Promise<readonly boolean[]> {
    return withStateLock(this.#stateDir, async () => {
      const kept = read(this.#stateDir);
      if (kept === undefined) return keys.map(() => false);
      // Of an outdated plan none is given, and that wears nothing.
      const current = keys.map(({ epoch, nonces }) => nonces.includes(kept.nonce) && epoch >= kept.epoch - 1);
      const fresh = keys.map(({ fingerprint }, i) => current[i]! && !Object.hasOwn(kept.spent, fingerprint));
      const given = keys.filter((_, i) => fresh[i]).map(({ fingerprint, epoch }) => [fingerprint, epoch]);
      const isWorn = kept.isWorn || current.some((is, i) => is && !fresh[i]);
      if (given.length > 0 || isWorn !== kept.isWorn) {
        await write(this.#stateDir, {
          ...kept,
          spent: { ...kept.spent, ...Object.fromEntries(given) },
          isWorn,
        });
      }
      return fresh;
    });
  }
}

/** One that is damaged is made anew, with another nonce. */
function read(stateDir: string): Ledger | undefined {
  try {
    return readOwnDocument(fileIn(stateDir), { schema, hint: "", most: MAX_BYTES });
  } catch (error) {
    if (error instanceof FlanError && error.code === "invalid") return undefined;
    throw error;
  }
}

async function write(stateDir: string, ledger: Ledger): Promise<void> {
  await writeDurably(fileIn(stateDir), `${JSON.stringify(ledger)}\n`);
}

function newNonce(clock: Clock): string {
  return clock.randomBytes(NONCE_BYTES).toHex();
}

function fileIn(stateDir: string): string {
  return `${stateDir}/ipsec.json`;
}
