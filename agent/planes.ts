/**
 * The data planes that this host has, and which of them can stand beside each other. `planes.json` in the state directory
 * remembers them, since the store holds only the one that the network is to have. It is for root alone: backends'
 * options may be secret.
 */
import { announces, type Plane, type Planes, saysItSends, several } from "../backends/several.ts";
import type { Host } from "../backends/backend.ts";
import { backendFor } from "../backends/registry.ts";
import { readVxlanOptions } from "../backends/vxlan_options.ts";
import { writeDurably } from "../lease/file/durable_file.ts";
import type { Lease } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { askedBy, heardBy } from "../lease/other_planes.ts";
import { networksOf } from "../lease/stack.ts";
import { FlanError } from "../net/errors.ts";
import { type Cidr, formatCidr, parseCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { v } from "../net/schema.ts";
import { mayCarry, type Network } from "./network.ts";
import { readOwnDocument } from "./own_document.ts";
import { readPublicKeys } from "./wireguard_key.ts";

/** Those whose packets flan carries itself, so that it can tell which peer is reached by which. */
const carrying: ReadonlySet<string> = new Set(["vxlan", "udp", "host-gw", "wireguard", "ipip", "ipsec"]);

const MAX_PLANES = 8;
const MOST_FAMILIES = 2;

/** Beside the present one. More than one is there only where a network is changed again before all have followed. */
export const MOST_FORMER = 3;

const schema = v.object({
  schema: v.literal("flan.planes/v1"),
  planes: v.pipe(
    v.array(v.object({
      type: v.string(),
      options: v.record(v.string(), v.unknown()),
    })),
    v.maxLength(MAX_PLANES),
  ),
  encrypted: v.optional(v.pipe(v.array(v.string()), v.maxLength(MOST_FAMILIES)), []),
});

/** By its backend and its devices: what has the same is one plane, whose options may change. */
export function planeName({ backend, config }: Plane): string {
  return [backend.type, ...backend.devices(config)].join(" ");
}

/** Whether flan carries its packets, and so can tell which peer is reached by it. */
export function isCarrying({ backend }: Pick<Plane, "backend">): boolean {
  return carrying.has(backend.type);
}

/** Whether a host can have both at once: each with devices of its own, and told apart by leases. */
export function canStandBeside(a: Plane, b: Plane): boolean {
  const devices = new Set(a.backend.devices(a.config));
  return [a, b].every(isCarrying) && areToldApart(a, b) &&
    !b.backend.devices(b.config).some((device) => devices.has(device));
}

/** As `announces` does; a host that had two which leases do not tell apart would never see that one of them is left. */
function areToldApart(a: Plane, b: Plane): boolean {
  return a.backend.type !== b.backend.type || vniOf(a) !== vniOf(b);
}

/** Whether it takes in nothing of a host whose nonce it does not know. */
export function wantsAcquaintance({ backend }: Plane): boolean {
  return backend.epochs !== undefined;
}

/** Which VXLAN network it is; undefined for another backend. */
export function vniOf({ backend, config }: Plane): number | undefined {
  return backend.type === "vxlan" ? readVxlanOptions(config.backendOptions).options.vni : undefined;
}

/**
 * The planes that this host had last, in the `network` of now; none where nothing is known or may be read, or no backend
 * of this version has them any more.
 */
export function readPlanes(
  stateDir: string,
  { network, macs }: { network: NetworkConfig; macs: Readonly<Record<string, string>> },
): readonly Plane[] {
  return (read(stateDir)?.planes ?? []).flatMap(({ type, options }): Plane[] => {
    const config = { ...network, backendType: type, backendOptions: options as { [key: string]: Json } };
    try {
      const backend = backendFor(type);
      backend.check(config);
      const devices = backend.devices(config);
      const identity = {
        macs: devices.map((device) => macs[device] ?? ""),
        publicKeys: readPublicKeys(stateDir, backend.hasKey ? devices : []),
      };
      return [{ backend, config, identity }];
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      return [];
    }
  });
}

function read(stateDir: string) {
  try {
    const file = fileIn(stateDir);
    return readOwnDocument(file, { schema, hint: `remove ${file}; the agent writes it anew` });
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    // Without it a host that moves loses what it had a little sooner; that must keep nobody from joining or looking.
    return undefined;
  }
}

/**
 * What this host's network is, of each family, where the plane of now encrypts; none where it does not, nothing is known or
 * may be read, or a flan wrote it that did not say so yet.
 */
export function readEncrypted(stateDir: string): readonly Cidr[] {
  try {
    return (read(stateDir)?.encrypted ?? []).map(parseCidr);
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return [];
  }
}

/**
 * Those of the planes that this host had by which somebody may still send to it, as its `lease` says, beside the `present`
 * one; without a lease there is nobody who would. What is in clear is taken up again by no host that is to use nothing
 * else than what encrypts (`encrypt`), whoever may still send by it.
 */
export function planesStillNeeded(
  present: Plane,
  former: readonly Plane[],
  { lease, host, encrypt }: { lease: Lease | undefined; host: Host; encrypt: boolean | undefined },
): readonly Plane[] {
  if (lease === undefined) return [];
  const said = [lease, ...lease.otherPlanes ?? []];
  return former.filter((one) =>
    planeName(one) !== planeName(present) && canStandBeside(one, present) && mayCarry(one, { encrypt }) &&
    said.some((what) => announces(what, one, host))
  );
}

/** The names of the network's devices, and of those that this host may still have of former backends. */
export function devicesOf(network: Network, stateDir: string): readonly string[] {
  const had = readPlanes(stateDir, { network: network.config, macs: {} });
  return [
    ...new Set([...network.devices, ...had.flatMap(({ backend, config }) => backend.devices(config))]),
  ];
}

/** Milliseconds of an epoch of the network's backend, or of a former one that this host may still have; see `epochs` of a backend. */
export function epochsOf(network: Plane, stateDir: string): number | undefined {
  const planes = [network, ...readPlanes(stateDir, { network: network.config, macs: {} })];
  return planes.map(({ backend, config }) => backend.epochs?.(config)).find((span) => span !== undefined);
}

/** The network as one of the hosts that move has it: its backend and its devices are those of all `planes`. */
export interface MovingNetwork extends Network {
  readonly planes: readonly [Pick<Network, "config" | "devices">, ...Pick<Network, "config" | "devices">[]];
}

/** The network with all backends that this host has while it moves, for those who look: as the agent has them. */
export function asItMoves(
  network: Network,
  { stateDir, encrypt, macs, lease, host, met }: {
    stateDir: string;
    encrypt: boolean | undefined;
    macs: Readonly<Record<string, string>>;
    lease: Lease | undefined;
    host: Host;
    /** The keys (`peerKey`) of peers that know this host; undefined where that cannot be seen. */
    met: ReadonlySet<string> | undefined;
  },
): MovingNetwork {
  const had = readPlanes(stateDir, { network: network.config, macs });
  const former = planesStillNeeded(network, had, { lease, host, encrypt });
  const planes: Planes = [network, ...former];
  const others = former.map(({ backend, config }) => ({ config, devices: backend.devices(config) }));
  return {
    ...network,
    backend: several(planes, {
      maySend: (plane, to) =>
        lease === undefined ||
        saysItSends(lease, plane, host) &&
          (to === undefined || !wantsAcquaintance(plane) || heardBy(to) >= askedBy(lease)),
      isMet: (peer) => met?.has(peer) ?? true,
    }),
    devices: [...network.devices, ...others.flatMap(({ devices }) => devices)],
    planes: [network, ...others],
  };
}

/** Remembers the planes, the one of now first, each once, the first ones if there are too many. Throws FlanError. */
export async function rememberPlanes(stateDir: string, planes: readonly Plane[]): Promise<void> {
  const kept = [...Map.groupBy(planes, planeName).values()].map(([first]) => first!)
    .filter(isCarrying).slice(0, MAX_PLANES).map(({ backend, config }) => ({
      type: backend.type,
      options: config.backendOptions,
    }));
  const [present] = planes;
  const encrypted = present?.backend.encrypts === true ? networksOf(present.config).map(formatCidr) : [];
  const document = { schema: "flan.planes/v1", planes: kept, encrypted };
  await writeDurably(fileIn(stateDir), `${JSON.stringify(document)}\n`, { mode: 0o600 });
}

/** Forgets them: this host has left. */
export function forgetPlanes(stateDir: string): void {
  try {
    Deno.removeSync(fileIn(stateDir));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function fileIn(stateDir: string): string {
  return `${stateDir}/planes.json`;
}
