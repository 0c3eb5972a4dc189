/** Takes away what flan made in the kernel, and names what it must leave. */
import type { Failure, Kernel } from "../kernel/kernel.ts";
import { isFlans, type Owner } from "../kernel/ownership.ts";
import { isFirewalls } from "../kernel/relations.ts";
import { aliasOf, describe, type KernelObject, type Link } from "../kernel/state.ts";
import { teardown } from "../kernel/teardown.ts";
import { FlanError } from "../net/errors.ts";

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
  /** Names of links that flan has made and that are not marked as this host's, or not any more. */
  readonly left: readonly string[];
}

/** Removes what the kernel, as it is seen now, does not show, and resolves to it. */
export type RemoveUnseen = (owner: Owner) => Promise<readonly KernelObject[]>;

/** Without `self` nothing can be removed: links of any flan are left, and named. Throws KernelError. */
export async function removeFromKernel(
  kernel: Kernel,
  self: Self | undefined,
  { removeUnseen }: { removeUnseen?: RemoveUnseen } = {},
): Promise<Removal> {
  if (self === undefined) {
    const links = (await linksOf(kernel)).filter(({ alias }) => isFlans(alias));
    return { removed: [], left: links.map(({ name }) => name) };
  }
  const { node, networks, macs } = self;
  const owner = { alias: aliasOf(node), links: [], networks, macs: Object.values(macs) };
  const { removed, failures } = await teardown(kernel, owner);
  const unseen = await removeUnseen?.(owner) ?? [];
  if (failures[0] !== undefined) throw stuck(failures as readonly [Failure, ...Failure[]]);
  const left = (await linksOf(kernel)).filter((link) => wasOurs(link, self)).map(({ name }) => name);
  return { removed: linesOf([...removed, ...unseen]), left };
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
    return object.kind === "link" || isFirewalls(object) ? [`removed ${describe(object)}`] : [];
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
