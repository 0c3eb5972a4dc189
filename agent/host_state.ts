/**
 * What must survive a reboot: who this host is, the MACs of its devices, the subnet it had last and its networks.
 * One small document, `host.json` in the state directory. It holds no secret: whoever may read the store may
 * ask `flan routes`, which needs to know which lease is this host's.
 */
import type { Clock } from "../net/clock.ts";
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import { localMac, parseMac } from "../net/mac.ts";
import { formatCidr, parseCidr } from "../net/ip.ts";
import { v } from "../net/schema.ts";
import { writeDurably } from "../lease/file/durable_file.ts";
import type { Subnets } from "../lease/key.ts";
import { isBootId } from "./boot.ts";
import { readOwnDocument } from "./own_document.ts";

export interface HostState {
  /** 16 hex digits, made once. Leases carry it, so that a host keeps its subnet when its address changes. */
  readonly node: string;
  /** MAC by device name. */
  readonly macs: Readonly<Record<string, string>>;
  /** The subnet this host leased last. */
  readonly previous: string | undefined;
  /** Its IPv6 subnet beside that, in dual stack. */
  readonly previous6?: string | undefined;
  /** The store that leases it to this host, undefined once it was given back. */
  readonly leasedIn: string | undefined;
  /** Networks that this host was in since it last left with all its objects, the latest last. */
  readonly networks: readonly string[];
  /** The kernel's id of the boot in which this host was in a network last; older documents have none. */
  readonly boot: string | undefined;
}

/** Of so many networks at most it is remembered that this host was in them. */
const MAX_NETWORKS = 32;

const schema = v.object({
  schema: v.literal("flan.host/v1"),
  node: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  macs: v.record(v.string(), v.string()),
  previous: v.optional(v.string()),
  previous6: v.optional(v.string()),
  leasedIn: v.optional(v.string()),
  networks: v.optional(v.pipe(v.array(v.string()), v.maxLength(MAX_NETWORKS)), []),
  boot: v.optional(v.pipe(v.string(), v.check(isBootId))),
});

/**
 * The state of this host, or undefined where it has none yet. Throws `invalid` for a damaged file: making up
 * a new identity would take a second subnet while the first one is still leased.
 */
export function readHostState(stateDir: string): HostState | undefined {
  const file = fileIn(stateDir);
  const hint = `restore ${file}, or delete it to give this host a new identity`;
  const found = readOwnDocument(file, { schema, hint });
  if (found === undefined) return undefined;
  try {
    const { node, macs, previous, previous6, leasedIn, networks, boot } = found;
    return {
      node,
      macs: Object.fromEntries(Object.entries(macs).map(([link, mac]) => [link, parseMac(mac)])),
      previous: previous === undefined ? undefined : formatCidr(parseCidr(previous)),
      ...(previous6 === undefined ? {} : { previous6: formatCidr(parseCidr(previous6)) }),
      leasedIn,
      networks: networks.map((network) => formatCidr(parseCidr(network))),
      boot,
    };
  } catch (error) {
    throw invalid("host.state", `Cannot use ${file}: ${messageOf(error)}`, hint);
  }
}

/** Reads the state, after giving this host an identity if it has none. Safe against a second process. */
export async function ensureHostState(stateDir: string, clock: Clock): Promise<HostState> {
  return await withStateLock(stateDir, async () => {
    const known = readHostState(stateDir);
    if (known !== undefined) return known;
    const node = Array.from(clock.randomBytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return await write(stateDir, {
      node,
      macs: {},
      previous: undefined,
      leasedIn: undefined,
      networks: [],
      boot: undefined,
    });
  });
}

/**
 * The MAC of `device`: the one kept, else `existing` (of a device found in the kernel, whose peers know it
 * already), else a new local one. Kept from then on.
 */
export async function ensureMac(
  stateDir: string,
  { device, existing, clock }: { device: string; existing: string | undefined; clock: Clock },
): Promise<string> {
  return await withStateLock(stateDir, async () => {
    const state = readHostState(stateDir);
    if (state === undefined) {
      throw invalid("host.state", `Cannot keep a MAC in ${stateDir}: the host has no identity there`);
    }
    const kept = state.macs[device];
    if (kept !== undefined) return kept;
    const mac = existing ?? localMac(clock.randomBytes(6));
    await write(stateDir, { ...state, macs: { ...state.macs, [device]: mac } });
    return mac;
  });
}

/** Remembers the subnet, or the two of dual stack, so that it is asked for again after the lease was lost, and the store that leases it. */
export async function rememberSubnet(
  stateDir: string,
  { subnet, subnet6, store }: Subnets & { readonly store: string },
): Promise<void> {
  await change(stateDir, () => ({ previous: subnet, previous6: subnet6, leasedIn: store }));
}

/** Remembers that the subnet was given back: its store may be gone for good reasons from now on. */
export async function forgetLease(stateDir: string): Promise<void> {
  await change(stateDir, () => ({ leasedIn: undefined }));
}

/** Remembers that this host is in the network, so that what is left of it there is known as its own. */
export async function rememberNetwork(stateDir: string, network: string): Promise<void> {
  await change(stateDir, ({ networks }) => ({
    networks: [...networks.filter((one) => one !== network), network].slice(-MAX_NETWORKS),
  }));
}

/** Remembers in which boot this host has joined. */
export async function rememberBoot(stateDir: string, boot: string): Promise<void> {
  await change(stateDir, () => ({ boot }));
}

/** Remembers that nothing of this host is left in any network. */
export async function forgetNetworks(stateDir: string): Promise<void> {
  await change(stateDir, () => ({ networks: [] }));
}

async function change(stateDir: string, to: (state: HostState) => Partial<HostState>): Promise<void> {
  await withStateLock(stateDir, async () => {
    const state = readHostState(stateDir);
    if (state === undefined) return;
    const changed = { ...state, ...to(state) };
    if (JSON.stringify(changed) !== JSON.stringify(state)) await write(stateDir, changed);
  });
}

function fileIn(stateDir: string): string {
  return `${stateDir}/host.json`;
}

async function write(stateDir: string, state: HostState): Promise<HostState> {
  const document = { schema: "flan.host/v1", ...state };
  await writeDurably(fileIn(stateDir), `${JSON.stringify(document, null, 2)}\n`, { mode: 0o644 });
  return state;
}

/** Runs `work` while no other process does; writers hold the lock for a moment only. */
export async function withStateLock<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  let file: Deno.FsFile;
  try {
    Deno.mkdirSync(stateDir, { recursive: true, mode: 0o755 });
    file = Deno.openSync(`${stateDir}/host.lock`, { create: true, write: true, mode: 0o600 });
  } catch (error) {
    throw new FlanError(`Cannot use state directory ${stateDir}: ${messageOf(error)}`, {
      op: "host.state",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      cause: error,
      hint: "run as root, or name another one with --state-dir",
    });
  }
  try {
    await file.lock(true);
    return await work();
  } finally {
    file.close();
  }
}
