/**
 * The keys of this host's WireGuard devices, made once and kept in the state directory: `wireguard.key`, which only root
 * reads, and `wireguard.pub` for everybody; those of the second device in `wireguard-v6.key` and `.pub`.
 */
import { wireguardDevices } from "../backends/wireguard.ts";
import { keyFileOf } from "../kernel/wireguard.ts";
import { writeDurably } from "../lease/file/durable_file.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, invalid, systemReason } from "../net/errors.ts";
import { clamped, KEY_BYTES, keyText, publicKeyOf, readKey } from "../net/wireguard_key.ts";
import { withStateLock } from "./host_state.ts";

/** The device's public key, in base64; undefined where it has none yet. Throws what keeps it from being read. */
export function readPublicKey(stateDir: string, device: string): string | undefined {
  const text = read(publicFile(stateDir, device));
  return text === undefined || readKey(text) === undefined ? undefined : text;
}

/** The device's private key; undefined where it has none. Throws `invalid` for a damaged one, and `not-permitted`. */
export function readPrivateKey(stateDir: string, device: string): Uint8Array | undefined {
  const file = privateFile(stateDir, device);
  const text = read(file);
  if (text === undefined) return undefined;
  const key = readKey(text);
  if (key !== undefined) return key;
  const hint = `restore ${file}, or delete it to give ${device} a new key`;
  throw invalid("wireguard.key", `Cannot use ${file}: it holds no WireGuard key`, hint);
}

/** The private key of the public one; undefined where no device of this host's has it. Throws as {@link readPrivateKey}. */
export function findPrivateKey(stateDir: string, publicKey: string): Uint8Array | undefined {
  const device = wireguardDevices.find((one) => readPublicKey(stateDir, one) === publicKey);
  return device === undefined ? undefined : readPrivateKey(stateDir, device);
}

/** The device's public key, after making both if it has none. Safe against a second process. */
export async function ensurePublicKey(
  stateDir: string,
  { device, clock }: { device: string; clock: Clock },
): Promise<string> {
  return await withStateLock(stateDir, async () => {
    const kept = readPrivateKey(stateDir, device);
    const key = kept ?? clamped(clock.randomBytes(KEY_BYTES));
    const publicKey = await publicKeyOf(key);
    if (kept === undefined) {
      await writeDurably(privateFile(stateDir, device), `${keyText(key)}\n`, { mode: 0o600 });
    }
    if (readPublicKey(stateDir, device) !== publicKey) {
      await writeDurably(publicFile(stateDir, device), `${publicKey}\n`);
    }
    return publicKey;
  });
}

function privateFile(stateDir: string, device: string): string {
  return `${stateDir}/${keyFileOf(device)}.key`;
}

function publicFile(stateDir: string, device: string): string {
  return `${stateDir}/${keyFileOf(device)}.pub`;
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
