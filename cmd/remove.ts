/** Takes away what flan made in the kernel, and names what it must leave. */
import type { InIptables } from "../agent/host_kernel.ts";
import type { Failure, Kernel } from "../kernel/kernel.ts";
import { bearsMark, isFlans, type Owner } from "../kernel/ownership.ts";
import { isFirewalls } from "../kernel/relations.ts";
import { aliasOf, describe, type KernelObject, type Link } from "../kernel/state.ts";
import { teardown } from "../kernel/teardown.ts";
import { FlanError } from "../net/errors.ts";
import { type Remain, remainsOf } from "./remains.ts";

/** Who this host was in the network. */
export interface Self {
  readonly node: string;
  /** The device's name as this host joined, "" where it is not known. */
  readonly device: string;
  /** MAC by device name. */
  readonly macs: Readonly<Record<string, string>>;
  /** The store that leases a subnet to it, where that is known. */
  readonly leasedIn: string | undefined;
  /** Networks that it was in. */
  readonly networks: readonly string[];
}

export interface Removal {
  /** What was removed, as lines for a person. */
  readonly removed: readonly string[];
  /** What flan has made and is not marked as this host's, or not any more. */
  readonly left: readonly Remain[];
}

/** What the kernel, as it is seen now, does not show. */
export interface Unseen {
  /** Removes what is the owner's, and resolves to it. */
  remove(owner: Owner): Promise<readonly KernelObject[]>;
  /** What bears any flan's mark, with the lines that remove it by hand. */
  find(): Promise<readonly InIptables[]>;
}

const nothing: Unseen = {
  remove: () => Promise.resolve([]),
  find: () => Promise.resolve([]),
};

/**
 * A node that nobody is, for identities are hex digits. What its owner owns is ours without any mark: what stands in our
 * run directory, and an empty table of our name.
 */
const NOBODY = "nobody";

/**
 * Without `self` only that is removed which can be nobody else's: another flan in this namespace marks its objects alike,
 * so they are left, and named. Throws KernelError.
 */
export async function removeFromKernel(
  kernel: Kernel,
  self: Self | undefined,
  unseen: Unseen = nothing,
): Promise<Removal> {
  const { node, networks, macs } = self ?? { node: NOBODY, networks: [], macs: {} };
  const owner = { alias: aliasOf(node), links: [], networks, macs: Object.values(macs) };
  const { removed, failures } = await teardown(kernel, owner);
  const also = await unseen.remove(owner);
  if (failures[0] !== undefined) throw stuck(failures as readonly [Failure, ...Failure[]]);
  const left = self === undefined
    ? remainsOf((await kernel.dump({ links: [], sysctls: [] })).filter(bearsMark), await unseen.find())
    : remainsOf((await linksOf(kernel)).filter((link) => wasOurs(link, self)));
  return { removed: linesOf([...removed, ...also]), left };
}

/** A command of the network that fails would fail again for ever: it is left to whoever can do by hand what it should. */
function stuck(failures: readonly [Failure, ...Failure[]]): FlanError {
  const [{ change, error }] = failures;
  if (change.object.kind !== "hook") return error;
  const more = failures.length === 1 ? "" : ` (and ${failures.length - 1} more)`;
  return new FlanError(`${error.message}${more}`, {
    op: "down",
    code: "failed",
    cause: error,
    hint:
      "take away by hand what the command should, and run flan down again: it does not ask for that any more",
  });
}

/** Links, proxies and rules by name, everything else as a count of its kind: there may be thousands. */
function linesOf(removed: readonly KernelObject[]): string[] {
  const named = removed.flatMap((object) => {
    if (object.kind === "proxy") return [`stopped the ${describe(object)}`];
    const isNamed = object.kind === "link" || object.kind === "encap-socket" || isFirewalls(object);
    return isNamed ? [`removed ${describe(object)}`] : [];
  });
  const counts = names.flatMap(([kind, one, many]) => {
    const count = removed.filter((object) => object.kind === kind).length;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  return counts.length === 0 ? named : [...named, `removed ${counts.join(", ")}`];
}

const names: readonly (readonly [kind: KernelObject["kind"], one: string, many: string])[] = [
  ["route", "route", "routes"],
  ["proxy-route", "proxy route", "proxy routes"],
  ["wireguard-peer", "WireGuard peer", "WireGuard peers"],
  ["xfrm-state", "IPsec state", "IPsec states"],
  ["xfrm-policy", "IPsec policy", "IPsec policies"],
  ["neighbour", "neighbour", "neighbours"],
  ["fdb", "FDB entry", "FDB entries"],
  ["nexthop", "nexthop", "nexthops"],
  ["address", "address", "addresses"],
  ["hook", "hook", "hooks"],
];

/** A link with our device's name and MAC that bears nobody's alias: somebody took ours away. */
function wasOurs({ name, alias, mac }: Link, { device, macs }: Self): boolean {
  if (isFlans(alias)) return false;
  const kept = macs[name];
  return kept === undefined ? name === device : kept === mac;
}

async function linksOf(kernel: Kernel): Promise<Link[]> {
  return (await kernel.dump({ links: [], sysctls: [] })).filter((object) => object.kind === "link");
}
