/**
 * Peers whose lease has expired, kept for a while. When a store was away for longer than leases live, all of them
 * have ended by the time it is back, before their holders can renew them, and nobody's packets may be lost for that.
 */
import { decodeRecord, isRefusal } from "../lease/decode.ts";
import { byFirst, type Position, type Range, rangeOf } from "../lease/disjoint.ts";
import { subnetOfKey, subnetsIn } from "../lease/key.ts";
import type { LeaseRecord, Snapshot } from "../lease/store.ts";
import type { Clock } from "../net/clock.ts";
import { type Cidr, covers, type Family, parseCidr } from "../net/ip.ts";

/**
 * How long an expired peer stays. A holder that finds its store again takes its lease within a few seconds. A host
 * whose clock jumps ahead of all leases in a document keeps its peers for as long, too; then they go, one by one
 * coming back as each renews, because nothing tells a wrong clock from hosts that were switched off.
 */
export const LINGER_MS = 60_000;
/** Within this time somebody whose peer lingers learns whether the store takes renewals at all. */
export const PROBE_MS = LINGER_MS / 2;

export interface Lingering {
  readonly record: LeaseRecord;
  /** Monotonic milliseconds at which the record was missed. */
  readonly missed: number;
}

/** What the store holds now, what it held when this was asked last, and whose leases are the caller's own. */
export interface Passage {
  readonly last: Snapshot | undefined;
  readonly next: Snapshot;
  /** Monotonic milliseconds. */
  readonly now: number;
  readonly node: string;
  /** One for each address family. */
  readonly networks: readonly Cidr[];
}

/**
 * The records that are gone from the store and not to be given up yet: those that `before` holds, and those that
 * have vanished since, unless they were released. A live lease ends the wait where it overlaps a subnet of it or is
 * the same host's by its identity, its address or its backend data. A lease of the whole network, which every host
 * refuses, ends nothing.
 */
export function lingering(
  before: readonly Lingering[],
  { last, next, now, node, networks }: Passage,
): readonly Lingering[] {
  const young = before.filter(({ missed }) => now - missed < LINGER_MS);
  if (last === undefined || last === next) return young;
  const missing = vanished(last.records, next.records).filter((record) => record.node !== node);
  const all = [...young, ...missing.map((record): Lingering => ({ record, missed: now }))];
  if (all.length === 0) return all;
  const released = new Set(next.past.filter(({ how }) => how === "released").map(({ key }) => key));
  const live = next.records.filter((record) => {
    const cidrs = extentOf(record)?.cidrs ?? [];
    return cidrs.length > 0 && !cidrs.some((cidr) => networks.some((network) => covers(cidr, network)));
  });
  return unsucceeded(all.filter(({ record }) => !released.has(record.key)), live);
}

/** The records of `last` whose key is not in `next`; both are sorted by key. */
function vanished(last: readonly LeaseRecord[], next: readonly LeaseRecord[]): LeaseRecord[] {
  let at = 0;
  return last.filter(({ key }) => {
    while (at < next.length && next[at]!.key < key) at++;
    return next[at]?.key !== key;
  });
}

/** Those that no live record has taken the place of. */
function unsucceeded(all: readonly Lingering[], live: readonly LeaseRecord[]): readonly Lingering[] {
  const said = new Set(live.flatMap((record) => extentOf(record)?.names ?? []));
  const known = (one: Lingering) => extentOf(one.record)?.names.some((name) => said.has(name)) ?? true;
  const kept = new Set(all.filter((one) => !known(one)));
  for (const family of [4, 6] as const) dropOverlapped(kept, { live, family });
  return all.filter((one) => kept.has(one));
}

/** Takes those out whose subnet of this family a live record has any of. */
function dropOverlapped(
  kept: Set<Lingering>,
  { live, family }: { live: readonly LeaseRecord[]; family: Family },
): void {
  const placed = (record: LeaseRecord, one: Lingering | undefined) =>
    (extentOf(record)?.cidrs ?? []).filter((cidr) => cidr.family === family)
      .map((cidr): Range & { one: Lingering | undefined } => ({ ...rangeOf(cidr), one }));
  const items = [
    ...live.flatMap((record) => placed(record, undefined)),
    ...[...kept].flatMap((one) => placed(one.record, one)),
  ].sort(byFirst);
  let reach: Position = -1;
  for (const { last, first, one } of items) {
    if (one !== undefined) {
      if (first <= reach) kept.delete(one);
    } else if (last > reach) reach = last;
  }
  let begin: Position = Infinity;
  for (const { last, first, one } of items.reverse()) {
    if (one === undefined) begin = first;
    else if (last >= begin) kept.delete(one);
  }
}

interface Extent {
  /** One, or two in dual stack. */
  readonly cidrs: readonly Cidr[];
  /** By any of these a host is known again. */
  readonly names: readonly string[];
}

const extents = new WeakMap<LeaseRecord, Extent>();

/** What a record takes, or undefined where its key is no subnet; remembered, because records do not change. */
function extentOf(record: LeaseRecord): Extent | undefined {
  const known = extents.get(record);
  if (known !== undefined) return known;
  if (subnetOfKey(record.key) === undefined) return undefined;
  const lease = decodeRecord(record);
  const names = isRefusal(lease) ? [] : [
    `address ${lease.publicIp}`,
    ...(lease.node === undefined ? [] : [`node ${lease.node}`]),
    ...(lease.backendData === undefined ? [] : [`data ${JSON.stringify(lease.backendData)}`]),
  ];
  const extent = { cidrs: subnetsIn(record.key).map(parseCidr), names };
  extents.set(record, extent);
  return extent;
}

/** What an agent knows as it looks at a snapshot. */
export interface Moment extends Pick<Passage, "node" | "networks"> {
  /** Whether the store is in trouble: then nobody is given up, because those who live cannot say so. */
  readonly isHeld: boolean;
}

/** The lingering peers of one agent. */
export class Linger {
  #list: readonly Lingering[] = [];
  /** What {@link records} says, and from which list it was made. */
  #records = { list: this.#list, records: new Map<string, LeaseRecord>() };
  #last: Snapshot | undefined;
  #isHeld = false;
  #hasNew = false;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those who linger, by their subnet. */
  get records(): ReadonlyMap<string, LeaseRecord> {
    if (this.#records.list !== this.#list) {
      const records = new Map(this.#list.map(({ record }) => [subnetOfKey(record.key) ?? "", record]));
      this.#records = { list: this.#list, records };
    }
    return this.#records.records;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether somebody was missed for the first time when the last snapshot was taken. */
  get hasNew(): boolean {
    return this.#hasNew;
  }

  /** The snapshot with those who linger among the living. Their time begins anew when the trouble is over. */
  take(next: Snapshot, { node, networks, isHeld }: Moment): Snapshot {
    const now = this.#clock.monotonic();
    if (isHeld || this.#isHeld) this.#list = this.#list.map(({ record }) => ({ record, missed: now }));
    this.#isHeld = isHeld;
    const known = new Set(this.#list.map(({ record }) => record));
    this.#list = lingering(this.#list, { last: this.#last, next, now, node, networks });
    this.#hasNew = this.#list.some(({ record }) => !known.has(record));
    this.#last = next;
    if (this.#list.length === 0) return next;
    return { ...next, records: [...next.records, ...this.#list.map(({ record }) => record)] };
  }

  /** Milliseconds until the next of them is given up. */
  nextIn(): number {
    if (this.#isHeld) return Infinity;
    const now = this.#clock.monotonic();
    return this.#list.reduce((next, { missed }) => Math.min(next, missed + LINGER_MS - now), Infinity);
  }
}
