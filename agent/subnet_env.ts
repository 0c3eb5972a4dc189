/**
 * `subnet.env`: what CNI plugins and Docker read. Keys, order and form are flannel's; it is written last,
 * when the network works, and taken away first.
 */
import { FlanError, systemReason } from "../net/errors.ts";
import { type Cidr, formatCidr, formatIp, parseCidr } from "../net/ip.ts";
import type { Backend, Host } from "../backends/backend.ts";
import type { Lease } from "../lease/lease.ts";
import type { Subnets } from "../lease/key.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { directoryOf, writeDurably } from "../lease/file/durable_file.ts";

/** Where flannel's consumers look. */
export const FLANNEL_FILE = "/run/flannel/subnet.env";

/** No such file holds more; a larger one is somebody else's. */
const MAX_BYTES = 4096;

export interface SubnetFiles {
  readonly subnetFile: string;
  /** flannel's own place for it where that is served too, or undefined. */
  readonly sharedSubnetFile: string | undefined;
}

export interface SubnetEnv {
  readonly config: Pick<NetworkConfig, "network" | "ipv6">;
  /** This host's subnets, as `10.5.72.0/24`. */
  readonly own: Subnets;
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
    ...familyLines(env),
    `FLANNEL_MTU=${env.mtu}`,
    `FLANNEL_IPMASQ=${env.ipMasq}`,
    "",
  ].join("\n");
}

/** IPv4 before IPv6. A host that has no subnet of a family has no lines of it. */
function familyLines({ config: { network, ipv6 }, own: { subnet, subnet6 } }: SubnetEnv): string[] {
  const lines = (whole: Cidr, half: string) => {
    const name = whole.family === 4 ? "FLANNEL" : "FLANNEL_IPV6";
    return [`${name}_NETWORK=${formatCidr(whole)}`, `${name}_SUBNET=${gatewayOf(half)}`];
  };
  const second = ipv6 !== undefined && subnet6 !== undefined ? lines(ipv6.network, subnet6) : [];
  return [...lines(network, subnet), ...second];
}

/**
 * Writes `file`, and `shared` (flannel's own place) too where that is given and nobody else owns it. What is
 * there is ours if it says what we wrote last (our own file still does) or what we write now. Resolves to
 * whether `file` changed. Throws FlanError naming the file.
 */
export async function writeSubnetEnv(
  file: string,
  text: string,
  { shared }: { shared: string | undefined },
): Promise<boolean> {
  const before = readIfAny(file);
  if (shared !== undefined && shared !== file) {
    const there = readIfAny(shared);
    const ours = there === undefined || (there !== FOREIGN && there === before);
    if (ours && there !== text) await replace(shared, text);
  }
  if (before === text) return false;
  await replace(file, text);
  return true;
}

/**
 * Lets the files say what this host has now; while it has no subnet there is none that names one. Throws
 * FlanError, also where the underlay leaves the overlay no usable MTU.
 */
export async function publishSubnetEnv(
  { subnetFile, sharedSubnetFile: shared }: SubnetFiles,
  { own, host, config, backend }: {
    own: Lease | undefined;
    host: Host;
    config: NetworkConfig;
    backend: Backend;
  },
): Promise<void> {
  if (own === undefined) {
    removeSubnetEnv(subnetFile, { shared });
    return;
  }
  const mtu = backend.mtu(config, host);
  const text = formatSubnetEnv({
    config,
    own,
    mtu,
    ipMasq: host.firewall.masquerade,
  });
  await writeSubnetEnv(subnetFile, text, { shared });
}

/** Takes away what {@link writeSubnetEnv} wrote. Resolves to the files that were removed. */
export function removeSubnetEnv(file: string, { shared }: { shared: string | undefined }): string[] {
  const ours = readIfAny(file);
  if (ours === undefined || ours === FOREIGN) return [];
  const files = shared !== undefined && shared !== file && readIfAny(shared) === ours
    ? [shared, file]
    : [file];
  for (const one of files) Deno.removeSync(one);
  return files;
}

/** Stands for what is no such file at all: a link somebody else laid, a directory, something huge. */
const FOREIGN = Symbol("foreign");

function readIfAny(file: string): string | typeof FOREIGN | undefined {
  try {
    const info = Deno.lstatSync(file);
    return info.isFile && info.size <= MAX_BYTES ? Deno.readTextFileSync(file) : FOREIGN;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw failed("read", file, error);
  }
}

async function replace(file: string, text: string): Promise<void> {
  const directory = directoryOf(file);
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw failed("write", file, error);
  }
  await writeDurably(file, text, { mode: 0o644 });
}

function failed(verb: string, file: string, error: unknown): FlanError {
  return new FlanError(`Cannot ${verb} ${file}: ${systemReason(error)}`, {
    op: "subnet.env",
    code: "failed",
    cause: error,
  });
}
