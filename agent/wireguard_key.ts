/**
 * This host's WireGuard key, made once and kept in the state directory: `wireguard.key`, which only root reads, and
 * `wireguard.pub` for everybody.
 */
import { writeDurably } from "../lease/file/durable_file.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, invalid, systemReason } from "../net/errors.ts";
import { clamped, KEY_BYTES, keyText, publicKeyOf, readKey } from "../net/wireguard_key.ts";
import { withStateLock } from "./host_state.ts";

/** The public key, in base64; undefined where this host has none yet. Throws what keeps it from being read. */
export function readPublicKey(stateDir: string): string | undefined {
  const text = read(publicFile(stateDir));
  return text === undefined || readKey(text) === undefined ? undefined : text;
}

/** The private key; undefined where this host has none. Throws `invalid` for a damaged one, and `not-permitted`. */
export function readPrivateKey(stateDir: string): Uint8Array | undefined {
  const file = privateFile(stateDir);
  const text = read(file);
  if (text === undefined) return undefined;
  const key = readKey(text);
  if (key !== undefined) return key;
  const hint = `restore ${file}, or delete it to give this host a new key`;
  throw invalid("wireguard.key", `Cannot use ${file}: it holds no WireGuard key`, hint);
}

/** The public key, after making both if this host has none. Safe against a second process. */
export async function ensurePublicKey(stateDir: string, clock: Clock): Promise<string> {
  return await withStateLock(stateDir, async () => {
    const kept = readPrivateKey(stateDir);
    const key = kept ?? clamped(clock.randomBytes(KEY_BYTES));
    const publicKey = await publicKeyOf(key);
    if (kept === undefined) await writeDurably(privateFile(stateDir), `${keyText(key)}\n`, { mode: 0o600 });
    if (readPublicKey(stateDir) !== publicKey) await writeDurably(publicFile(stateDir), `${publicKey}\n`);
    return publicKey;
  });
}

function privateFile(stateDir: string): string {
  return `${stateDir}/wireguard.key`;
}

function publicFile(stateDir: string): string {
  return `${stateDir}/wireguard.pub`;
}

function read(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new FlanError(`Cannot read ${file}: ${systemReason(error)}`, {
      op: "wireguard.key",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      cause: error,
    });
  }
}
