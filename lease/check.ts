/** What is wrong with the leases of a network, seen as a whole: a pure function of the store's contents. */
import { contains, formatCidr, isHostAddress, parseCidr, parseIp } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import { decodeRecord, isRefusal } from "./decode.ts";
import { halfOf } from "./half.ts";
import { holdersOf, holderText } from "./held.ts";
import { leaseKey, subnetOfKey, subnetsIn } from "./key.ts";
import type { Lease, Refusal } from "./lease.ts";
import { givesOut, type NetworkConfig } from "./network.ts";
import { isUnclaimed } from "./reservation.ts";
import type { LeaseRecord, Snapshot } from "./store.ts";
import { isSubnetOf } from "./subnet_range.ts";
import { makeView, unclaimedIn } from "./view.ts";

export interface LeaseFinding {
  /** A stable word: `overlap`, `address-twice`, … */
  readonly code: string;
  /** `high` where packets of a host are or may be lost by it. */
  readonly severity: "warning" | "high";
  /** The subnet or key that is meant, printable. */
  readonly subnet: string;
  /** One sentence, in the grammar of errors. */
  readonly message: string;
  /** The command that mends it. */
  readonly hint: string;
}

interface Checked {
  readonly snapshot: Snapshot;
  readonly network: NetworkConfig;
  /** This host's identity, where it has one. */
  readonly node: string | undefined;
  /** The valid leases that no host can use. */
  readonly unreachable: readonly Refusal[];
}

/**
 * Every finding, the severe ones first. Codes: those of refused leases (`overlap`, `outside-network`, `bad-value`, …),
 * those of leases that the backend cannot use
 * (`bad-backend-data`, …), `address-twice`, `second-lease`, `odd-length`, `no-ipv6`, `unclaimable`, `expired-own`.
 */
export function checkLeases(checked: Checked): LeaseFinding[] {
  const { snapshot, network } = checked;
  const { peers: valid, refused } = makeView(snapshot, { node: "", network });
  const findings = [
    ...refused.length === 0 ? [] : refusedByAll(refused, checked),
    ...checked.unreachable.map(cutOff),
    ...twice(valid, network),
    ...oddLengths(valid, network),
    ...halfLeases(valid, network),
    ...unclaimable(checked),
    ...expiredOwn(checked),
  ];
  const high = ({ severity }: LeaseFinding) => severity === "high" ? 0 : 1;
  return findings.sort((a, b) => high(a) - high(b));
}

/** A refused lease cuts its holder off; a refused reservation has none yet. */
function refusedByAll(refused: readonly Refusal[], { snapshot, network }: Checked): LeaseFinding[] {
  const byName = recordsByName(snapshot.records);
  const garbage = new Set(garbageIn({ snapshot, network }).map(({ key }) => key));
  return refused.map(({ subnet, code, reason }) => {
    const records = byName.get(subnet) ?? [];
    return {
      code,
      severity: records.every(({ expires }) => expires === undefined) ? "warning" : "high",
      subnet,
      message: `Every host refuses the lease ${subnet}: ${reason}`,
      hint: remedy(subnet, { records, isGarbage: records.every(({ key }) => garbage.has(key)), network }),
    };
  });
}

/** By each subnet that their keys hold, or by the key where it holds none. */
function recordsByName(records: readonly LeaseRecord[]): ReadonlyMap<string, readonly LeaseRecord[]> {
  const named = records.flatMap((record) => {
    const subnets = subnetsIn(record.key);
    const names = subnets.length > 0 ? subnets : [printable(record.key, 40)];
    return names.map((name) => ({ name, record }));
  });
  const grouped = Map.groupBy(named, ({ name }) => name);
  return new Map([...grouped].map(([name, all]) => [name, all.map(({ record }) => record)]));
}

interface Refused {
  readonly records: readonly LeaseRecord[];
  readonly isGarbage: boolean;
  readonly network: NetworkConfig;
}

function remedy(subnet: string, { records, isGarbage, network }: Refused): string {
  if (isGarbage) return "flan lease gc --yes";
  if (records.every(({ key }) => subnetOfKey(key) === undefined)) return "wait: it ends by itself";
  const isOpen = records.every((record) => {
    const lease = decodeRecord(record);
    return !isRefusal(lease) && isUnclaimed(lease, network);
  });
  return isOpen ? `flan lease unreserve ${subnet}` : `flan lease revoke ${subnet} --yes`;
}

function cutOff({ subnet, code, reason }: Refusal): LeaseFinding {
  return {
    code,
    severity: "high",
    subnet,
    message: `No host can reach the lease ${subnet}: ${reason}`,
    hint: `flan lease revoke ${subnet} --yes, or mend its host`,
  };
}

function twice(valid: readonly Lease[], network: NetworkConfig): LeaseFinding[] {
  const holder = (lease: Lease) => lease.node ?? `the flannel at ${lease.publicIp}`;
  const halves = valid.map((lease) => network.ipv6 && halfOf(lease, 6)).filter((half) => half !== undefined);
  const addresses = Map.groupBy([...valid, ...halves], ({ publicIp }) => publicIp);
  const holders = Map.groupBy(valid, holder);
  const nodes = (leases: readonly Lease[]) =>
    [...new Set(leases.map(holder))].map((one) => printable(one, 40));
  return [
    ...[...addresses].filter(([, leases]) => nodes(leases).length > 1).map((
      [publicIp, leases],
    ): LeaseFinding => ({
      code: "address-twice",
      severity: "high",
      subnet: leases[0]!.subnet,
      message: `The address ${publicIp} is announced by ${nodes(leases).join(" and ")}, with ${
        named(leases)
      }`,
      hint: "give one of them another --public-ip, or revoke the lease of the one that is gone",
    })),
    ...[...holders].filter(([, leases]) => leases.length > 1).map(([name, leases]): LeaseFinding => {
      // A host that writes a lease has left its other ones, so the newest is the one that it uses.
      const [newest, oldest] = [leases.reduce(newer), leases.reduce((a, b) => newer(a, b) === a ? b : a)];
      return {
        code: "second-lease",
        severity: "warning",
        subnet: oldest.subnet,
        message: `One host (${printable(name, 40)}) holds ${leases.length} leases: ${
          named(leases)
        }; the newest is ${newest.subnet}`,
        hint: `flan lease revoke ${oldest.subnet} --yes`,
      };
    }),
  ];
}

function oddLengths(valid: readonly Lease[], network: NetworkConfig): LeaseFinding[] {
  const range = `/${network.subnetLength} from ${formatCidr(network.subnetMin)} to ${
    formatCidr(network.subnetMax)
  }`;
  return valid.filter(({ subnet }) => !isSubnetOf(network, parseCidr(subnet))).map(({ subnet }) => ({
    code: "odd-length",
    severity: "warning",
    subnet,
    message:
      `The lease ${subnet} is none that the network gives out (${range}): its host takes another when it joins anew`,
    hint: `flan lease revoke ${subnet} --yes`,
  }));
}

/** Leases whose hosts other hosts reach by IPv4 alone. */
function halfLeases(valid: readonly Lease[], network: NetworkConfig): LeaseFinding[] {
  if (network.ipv6 === undefined) return [];
  return valid.filter(({ subnet6 }) => subnet6 === undefined).map(({ subnet }) => ({
    code: "no-ipv6",
    severity: "warning",
    subnet,
    message: `The lease ${subnet} has no IPv6 subnet that can be used: its host is a peer for IPv4 alone`,
    hint: `flan up on its host again, or flan lease revoke ${subnet} --yes`,
  }));
}

function unclaimable({ snapshot, network }: Checked): LeaseFinding[] {
  const open = unclaimedIn(snapshot, network);
  return open.flatMap((lease) => {
    const why = whyUnclaimable(lease, { snapshot, network, open });
    return why === undefined ? [] : [{
      code: "unclaimable",
      severity: "warning" as const,
      subnet: lease.subnet,
      message: `Nobody can claim the reservation ${lease.subnet}: ${why}`,
      hint: `flan lease unreserve ${lease.subnet}`,
    }];
  });
}

function whyUnclaimable(
  lease: Lease,
  { snapshot, network, open }: { snapshot: Snapshot; network: NetworkConfig; open: readonly Lease[] },
): string | undefined {
  const { subnet, subnet6, node, publicIp } = lease;
  const key = leaseKey(lease);
  if (!givesOut(network, key)) return "the network does not give out such a subnet";
  const other = [subnet, ...(subnet6 === undefined ? [] : [subnet6])]
    .flatMap((one) => holdersOf(one, { config: network, snapshot })).find(({ record }) => record.key !== key);
  if (other !== undefined) return `it overlaps ${holderText(other, network)}`;
  const before = open.find((one) => one.subnet !== subnet && node !== undefined && one.node === node);
  // Both see it where there are two; the second is the one that waits in vain.
  if (
    before !== undefined &&
    open.findIndex((one) => one.node === node) < open.findIndex((one) => one.subnet === subnet)
  ) {
    return `node ${printable(node!, 40)} gets ${before.subnet}, which is reserved for it too`;
  }
  const address = parseIp(publicIp);
  if (address.value === 0n || isHostAddress(address) && !contains(network.network, address)) return undefined;
  return `${publicIp} cannot be a host's address`;
}

/** A lease of this host that ended, where it has no other. */
function expiredOwn({ snapshot, node }: Checked): LeaseFinding[] {
  if (node === undefined || snapshot.records.some((record) => record.node === node)) return [];
  const ended = snapshot.past.filter((past) => past.node === node && past.how === "expired");
  const last = ended.sort((a, b) => b.ended - a.ended)[0];
  if (last === undefined) return [];
  const subnet = printable(subnetOfKey(last.key) ?? last.key, 40);
  return [{
    code: "expired-own",
    severity: "warning",
    subnet,
    message: `The lease ${subnet} of this host ended at ${
      new Date(last.ended).toISOString()
    }, and it has no other`,
    hint: "flan up, or flan lease acquire",
  }];
}

/** A record that can go, and why. */
export interface Garbage {
  readonly key: string;
  readonly revision: number;
  readonly subnet: string;
  readonly code: string;
  readonly reason: string;
}

/**
 * The records that stay for ever and that nobody can read. Left are those that end, because their store sees to it;
 * reservations, also of subnets that are outside the network now, because the config may be another again; and what
 * holds a subnet of the network, whatever it says.
 */
export function garbageIn({ snapshot, network }: Pick<Checked, "snapshot" | "network">): Garbage[] {
  return snapshot.records.flatMap((record) => {
    const refusal = decodeRecord(record);
    if (record.expires !== undefined || !isRefusal(refusal)) return [];
    const subnet = subnetOfKey(record.key);
    if (subnet !== undefined && isSubnetOf(network, parseCidr(subnet))) return [];
    return [{ key: record.key, revision: record.revision, ...refusal }];
  });
}

function newer(a: Lease, b: Lease): Lease {
  return a.revision >= b.revision ? a : b;
}

function named(leases: readonly Lease[]): string {
  const shown = leases.slice(0, 4).map(({ subnet }) => subnet).join(", ");
  return leases.length > 4 ? `${shown} and ${leases.length - 4} more` : shown;
}
