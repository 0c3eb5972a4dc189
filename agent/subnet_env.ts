/**
 * `subnet.env`: what CNI plugins and Docker read. Keys, order and form are flannel's; it is written last,
 * when the network works, and taken away first.
 */
import { FlanError, messageOf } from "../net/errors.ts";
import { type Cidr, formatCidr, formatIp, parseCidr } from "../net/ip.ts";
import { writeDurably } from "../lease/durable_file.ts";

/** Where flannel's consumers look. */
export const FLANNEL_FILE = "/run/flannel/subnet.env";

export interface SubnetEnv {
  readonly network: Cidr;
  /** This host's subnet, as `10.5.72.0/24`. */
  readonly subnet: string;
  readonly mtu: number;
  readonly ipMasq: boolean;
}

/** The address of the bridge on this host: the subnet's first usable one, with the subnet's length. */
export function gatewayOf(subnet: string): string {
  const { family, address, length } = parseCidr(subnet);
  return `${formatIp({ family, value: address + 1n })}/${length}`;
}

export function formatSubnetEnv(env: SubnetEnv): string {
  return [
    `FLANNEL_NETWORK=${formatCidr(env.network)}`,
    `FLANNEL_SUBNET=${gatewayOf(env.subnet)}`,
    `FLANNEL_MTU=${env.mtu}`,
    `FLANNEL_IPMASQ=${env.ipMasq}`,
    "",
  ].join("\n");
}

/**
 * Writes `file`, and flannel's own place too where `shared` says so and nobody else owns it. What is there is
 * ours if it says what we wrote last (our own file still does) or what we write now. Resolves to whether
 * anything changed. Throws FlanError naming the file.
 */
export async function writeSubnetEnv(
  file: string,
  text: string,
  { shared }: { shared: boolean },
): Promise<boolean> {
  const before = readIfAny(file);
  if (shared && file !== FLANNEL_FILE) {
    const there = readIfAny(FLANNEL_FILE);
    if (there !== text && (there === undefined || there === before)) await replace(FLANNEL_FILE, text);
  }
  if (before === text) return false;
  await replace(file, text);
  return true;
}

/** Takes away what {@link writeSubnetEnv} wrote. Resolves to the files that were removed. */
export function removeSubnetEnv(file: string, { shared }: { shared: boolean }): string[] {
  const ours = readIfAny(file);
  if (ours === undefined) return [];
  const files = shared && file !== FLANNEL_FILE && readIfAny(FLANNEL_FILE) === ours
    ? [FLANNEL_FILE, file]
    : [file];
  for (const one of files) Deno.removeSync(one);
  return files;
}

function readIfAny(file: string): string | undefined {
  try {
    const info = Deno.lstatSync(file);
    // Never through a link somebody else laid, and never more than such a file can hold.
    return info.isFile && info.size <= 4096 ? Deno.readTextFileSync(file) : "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function replace(file: string, text: string): Promise<void> {
  try {
    await writeDurably(file, text, { mode: 0o644 });
  } catch (error) {
    throw new FlanError(`Cannot write ${file}: ${messageOf(error)}`, {
      op: "subnet.env",
      code: "failed",
      cause: error,
    });
  }
}
