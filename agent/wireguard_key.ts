/**
 * The keys of this host's WireGuard devices, made once and kept in the state directory: of `flan-wg` in `wireguard.key`,
 * which only root reads, and in `wireguard.pub` for everybody; of `flan-wg-v6` in `wireguard-v6.key` and `.pub`.
 *
 * A host whose network has one device keeps its key when that becomes the other device, as by another `Mode` in a network
 * of IPv6 alone, or was given it before each device had a file of its own: without a key it takes over the other's, whose
 * file gets its name. Beside another device it never does, so that no two have one key.
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

/** The public keys of all devices of a backend, in their order, "" for one that has none yet. Throws as {@link readPublicKey}. */
export function readPublicKeys(stateDir: string, devices: readonly string[]): string[] {
  return devices.map((device) => {
    const own = readPublicKey(stateDir, device);
    const other = otherThan(device, devices);
    return own ?? (other === undefined ? undefined : readPublicKey(stateDir, other)) ?? "";
  });
}

/** The private key of the public one; undefined where no device of this host's has it. Throws as {@link readPrivateKey}. */
export function findPrivateKey(stateDir: string, publicKey: string): Uint8Array | undefined {
  const device = wireguardDevices.find((one) => readPublicKey(stateDir, one) === publicKey);
  return device === undefined ? undefined : readPrivateKey(stateDir, device);
}

/** The public keys of all devices of a backend, in their order, after making those that are missing. Safe against a second process. */
export async function ensurePublicKeys(
  stateDir: string,
  { devices, clock }: { devices: readonly string[]; clock: Clock },
): Promise<string[]> {
  if (devices.length === 0) return [];
  return await withStateLock(stateDir, async () => {
    const publicKeys: string[] = [];
    for (const device of devices) {
      const kept = readPrivateKey(stateDir, device) ?? takenOver(stateDir, { device, devices });
      publicKeys.push(await ensured(stateDir, { device, kept, clock }));
    }
    return publicKeys;
  });
}

async function ensured(
  stateDir: string,
  { device, kept, clock }: { device: string; kept: Uint8Array | undefined; clock: Clock },
): Promise<string> {
  const key = kept ?? clamped(clock.randomBytes(KEY_BYTES));
  const publicKey = await publicKeyOf(key);
  if (kept === undefined) {
    await writeDurably(privateFile(stateDir, device), `${keyText(key)}\n`, { mode: 0o600 });
  }
  if (readPublicKey(stateDir, device) !== publicKey) {
    await writeDurably(publicFile(stateDir, device), `${publicKey}\n`);
  }
  return publicKey;
}

/** The other device's private key, which is this one's from now on; undefined where there is none to be had. */
function takenOver(
  stateDir: string,
  { device, devices }: { device: string; devices: readonly string[] },
): Uint8Array | undefined {
  const other = otherThan(device, devices);
  const key = other === undefined ? undefined : readPrivateKey(stateDir, other);
  if (other === undefined || key === undefined) return undefined;
  const [from, to] = [privateFile(stateDir, other), privateFile(stateDir, device)];
  try {
    // In this order: whoever is stopped in between leaves no public key without its private one.
    remove(publicFile(stateDir, other));
    Deno.renameSync(from, to);
  } catch (error) {
    throw failed(`Cannot rename ${from} to ${to}`, error);
  }
  return key;
}

/** The device whose key this one may take over; undefined beside another device. */
function otherThan(device: string, devices: readonly string[]): string | undefined {
  return devices.length === 1 ? wireguardDevices.find((one) => one !== device) : undefined;
}

function privateFile(stateDir: string, device: string): string {
  return `${stateDir}/${keyFileOf(device)}.key`;
}

function publicFile(stateDir: string, device: string): string {
  return `${stateDir}/${keyFileOf(device)}.pub`;
}

function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function read(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw failed(`Cannot read ${file}`, error);
  }
}

function failed(what: string, error: unknown): FlanError {
  return new FlanError(`${what}: ${systemReason(error)}`, {
    op: "wireguard.key",
    code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
    cause: error,
  });
}
