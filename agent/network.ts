/** The network as the store's config says, understood: who carries it, and what of it this host ignores. */
import { FlanError, invalid } from "../net/errors.ts";
import type { Backend, Host, Underlay } from "../backends/backend.ts";
import { backendFor } from "../backends/registry.ts";
import { type NetworkConfig, parseNetworkConfig } from "../lease/network.ts";
import type { Snapshot } from "../lease/store.ts";
import { type Cidr, contains, formatCidr, parseIp } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import type { Owner } from "../kernel/ownership.ts";
import { aliasOf } from "../kernel/state.ts";
import type { Found } from "./health/health.ts";

export interface Network {
  readonly config: NetworkConfig;
  readonly backend: Backend;
  /** The names of the backend's devices, that of the first family before that of the second. */
  readonly devices: readonly string[];
  readonly ignored: readonly Found[];
}

export function noNetwork(url: string): FlanError {
  return new FlanError(`Cannot find a network in ${url}: none was started there`, {
    op: "network.read",
    code: "store",
    hint: "flan up starts one, or name another store with --store",
  });
}

/** Whose the objects of this host are; see {@link Owner} for `former`, `networks` and `macs`. */
export function ownerOf(
  { config, devices }: Network,
  { node, former, networks, macs }: {
    node: string;
    former: readonly string[];
    networks: readonly string[];
    macs: readonly string[];
  },
): Owner {
  const network = formatCidr(config.network);
  const { ipv6 } = config;
  return {
    alias: aliasOf(node),
    links: devices,
    network,
    ...(ipv6 && { network6: formatCidr(ipv6.network) }),
    former,
    networks,
    macs,
  };
}

/**
 * Throws `invalid` for a network that holds the address this host is reached by, or a gateway it needs: their
 * packets would go into the tunnel, and nobody could reach the host to mend it.
 */
export function requireOutside(network: Cidr, { link, address, gateways }: Underlay): void {
  const holds = (text: string) => contains(network, parseIp(text));
  const gateway = gateways.find(holds);
  if (!holds(address) && gateway === undefined) return;
  const held = holds(address) ? `own address ${address} on ${link}` : `gateway ${gateway} on ${link}`;
  throw invalid(
    "network",
    `Cannot join network ${formatCidr(network)}: it holds this host's ${held}`,
    "choose a network that no host's own address or gateway lies in",
  );
}

/** Throws `invalid` where this host cannot be in the network, or its backend cannot serve this host. */
export function requireFit(
  { config, backend }: Pick<Network, "config" | "backend">,
  host: Pick<Host, "underlay" | "publicIp" | "ipv6">,
): void {
  requireOutside(config.network, host.underlay);
  if (config.ipv6 !== undefined && host.ipv6 !== undefined) {
    requireOutside(config.ipv6.network, host.ipv6.underlay);
  }
  backend.requireHost(config, host);
}

/** Whether this host may send or take packets by the backend: where only an encrypted one will do, by no other. */
export function mayCarry(
  { backend }: Pick<Network, "backend">,
  { encrypt = false }: { readonly encrypt?: boolean | undefined },
): boolean {
  return !encrypt || backend.encrypts === true;
}

/** Throws `invalid` for a network in clear, where only an encrypted one will do. */
export function requireEncrypted(
  { backend }: Pick<Network, "backend">,
  options: { readonly encrypt?: boolean },
): void {
  if (mayCarry({ backend }, options)) return;
  throw invalid(
    "network",
    `Cannot use backend ${backend.type} with --encrypt: it carries packets in clear`,
    "--backend wireguard starts an encrypted network, and flan config set backend wireguard encrypts a running one",
  );
}

/** Throws `store` where the store holds no network, and `invalid` where this version cannot serve it. */
export function networkIn({ config: stored }: Snapshot, url: string): Network {
  if (stored === undefined) throw noNetwork(url);
  return understood(stored, undefined);
}

/** The same network for the same config each time, so that what was found out about its leases is known again. */
const understood = memo((stored: NonNullable<Snapshot["config"]>): Network => {
  const config = parseNetworkConfig(stored.value);
  const backend = backendFor(config.backendType);
  const unknown = config.unknownKeys.map((key) => ({
    subject: key,
    message: `The network config has an unknown key ${key}`,
  }));
  const unused = backend.check(config).map((message) => ({ subject: message, message }));
  const ignored = [...unknown, ...unused].map((one) => ({ code: "option-ignored" as const, ...one }));
  return { config, backend, devices: backend.devices(config), ignored };
});
