/** A network as one document, out of any store and into any other: what would be done, and doing it. */
import { FlanError, invalid, isStoreTrouble, messageOf } from "../net/errors.ts";
import { type Cidr, covers, type Family, parseCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { naturalOrder } from "../net/natural_order.ts";
import { printable } from "../net/text.ts";
import { isConflict } from "./conflict.ts";
import { addressIn, decodeRecord, isRefusal } from "./decode.ts";
import { Damage, type Document, formatDocument, parseDocument } from "./document/document.ts";
import { isObject } from "./go_json.ts";
import { type Range, rangeOf } from "./disjoint.ts";
import { type Held, heldSubnets, holderText } from "./held.ts";
import { subnetOfKey, subnetsIn } from "./key.ts";
import { type NetworkConfig, parseNetworkConfig } from "./network.ts";
import type { Lease } from "./lease.ts";
import { isUnclaimed } from "./reservation.ts";
import type { LeaseRecord, NewRecord, Snapshot, Store } from "./store.ts";
import { makeView } from "./view.ts";

/**
 * The snapshot as a `flan.network/v1` document. It must have been read with its expiries. Throws `store-reply` where
 * the store does not say when a lease ends: as a document it would end never.
 */
export function exportedText({ revision, config, records, past }: Snapshot): string {
  const endless = records.find(({ expires }) => expires === Infinity);
  if (endless !== undefined) {
    const message = `Cannot export the lease ${
      printable(endless.key, 60)
    }: the store does not say when it ends`;
    throw new FlanError(message, { op: "store.export", code: "store-reply" });
  }
  const byKey = <T extends { readonly key: string }>(items: readonly T[]) =>
    new Map(items.map((item) => [item.key, item]));
  return formatDocument({ revision, config, leases: byKey(records), past: byKey(past) });
}

/** Reads an exported document. Throws `invalid` naming `place` and the reason. */
export function importedDocument(text: string, place: string): Document {
  try {
    return parseDocument(text);
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    throw invalid("store.import", `Cannot import ${place}: ${error.message}`);
  }
}

/** One thing that an import does or leaves: the network config, or a lease. */
export interface Step {
  readonly what: "config" | "lease";
  /** The subnet, or the key where it names none; "config". Printable. */
  readonly subnet: string;
  readonly action: "create" | "same" | "skip" | "conflict" | "failed";
  /** Why it is left, as a clause. */
  readonly reason: string | undefined;
  /** The record to create. */
  readonly lease: NewRecord | undefined;
  readonly node: string | undefined;
}

/** The longest time to live that etcd grants, in seconds (its `lease.MaxLeaseTTL`); 285 years are enough anywhere. */
const MAX_TTL = 9_000_000_000;

interface Target {
  readonly network: NetworkConfig | undefined;
  readonly now: number;
}

/**
 * What importing the document into a store with these contents does. Nothing that stands there is overwritten or
 * prolonged: a lease is created only where its subnet is free and its holder has none, and for what is left of its
 * life at `now` (milliseconds since 1970). Where leases of the document are in each other's way, those in use come
 * first, and the newest of them before the others. Throws `invalid` for a network config that cannot be used.
 */
export function planImport(document: Document, snapshot: Snapshot, now: number): Step[] {
  const config = configStep(document, snapshot);
  const value = snapshot.config?.value ?? document.config?.value;
  const target = { network: value === undefined ? undefined : parseNetworkConfig(value), now };
  const held = new Taken(heldSubnets(snapshot), target.network);
  const there = new Map(snapshot.records.map((record) => [record.key, record]));
  const leases = new Map(
    byClaim(document, target).map((record) => {
      const step = leaseStep(record, { ...target, held, there: there.get(record.key) });
      if (step.action === "create") held.add(heldSubnets({ records: [record] }));
      return [record.key, step];
    }),
  );
  const keys = [...leases.keys()].sort(naturalOrder);
  return [...config, ...keys.map((key) => leases.get(key)!)];
}

/** The document's leases, those before the others that hosts go by, and then the newest first. */
function byClaim({ leases, revision }: Document, { network, now }: Target): LeaseRecord[] {
  const records = [...leases.values()];
  const live = records.filter(({ expires }) => expires === undefined || expires > now);
  const view = network &&
    makeView({ revision, config: undefined, records: live, past: [] }, { node: "", network });
  const used = new Set<unknown>(view?.peers);
  const rank = (record: LeaseRecord) => used.has(decodeRecord(record)) ? 0 : 1;
  return records.sort((a, b) => rank(a) - rank(b) || b.revision - a.revision || naturalOrder(a.key, b.key));
}

/** What these refuse flannel hosts can read all the same, so that writing it cuts nobody off. */
const readable: ReadonlySet<string> = new Set(["bad-backend-type", "bad-backend-data", "bad-node"]);

/** What became of an import. */
export interface Imported {
  readonly steps: readonly Step[];
  /** Why the store gave up half-way, or undefined. */
  readonly failure: FlanError | undefined;
}

/**
 * Does what the steps say and tells what became of each: another writer may have been faster, or the store gives up
 * half-way. Throws `failed`, having written nothing, where the store serves another network, and what the store throws
 * where it did nothing at all.
 */
export async function applyImport(
  store: Store,
  steps: readonly Step[],
  document: Document,
): Promise<Imported> {
  const config = steps.find(({ what }) => what === "config");
  if (config?.action === "conflict") throw anotherNetwork(store.url);
  const begins = config?.action === "create";
  if (begins) await begin(store, document.config!.value);
  const wanted = steps.flatMap(({ lease }) => lease ?? []);
  const settled = new Map<NewRecord, boolean>();
  let failure: FlanError | undefined;
  try {
    if (wanted.length > 0) {
      await store.createAll(wanted, (lease, record) => settled.set(lease, record !== undefined));
    }
  } catch (error) {
    if (!isStoreTrouble(error) || !begins && settled.size === 0) throw error;
    failure = error;
  }
  const outcome = (step: Step): Step => {
    if (step.lease === undefined) return step;
    switch (settled.get(step.lease)) {
      case true:
        return step;
      case false:
        return { ...step, action: "conflict", reason: "another host took it meanwhile" };
      case undefined:
        return { ...step, action: "failed", reason: "the store gave up before it said so" };
    }
  };
  return { steps: steps.map(outcome), failure };
}

async function begin(store: Store, value: Json): Promise<void> {
  try {
    await store.writeConfig(value, 0);
  } catch (error) {
    throw isConflict(error) ? anotherNetwork(store.url) : error;
  }
}

function configStep({ config }: Document, snapshot: Snapshot): Step[] {
  if (config === undefined) return [];
  const step = (action: Step["action"], reason?: string): Step[] => [
    { what: "config", subnet: "config", action, reason, lease: undefined, node: undefined },
  ];
  if (snapshot.config !== undefined) {
    return isSame(config.value, snapshot.config.value)
      ? step("same")
      : step("conflict", "another network config stands there");
  }
  try {
    parseNetworkConfig(config.value);
  } catch (error) {
    throw invalid("store.import", `Cannot import the network config: ${messageOf(error)}`);
  }
  return step("create");
}

function leaseStep(
  record: LeaseRecord,
  { network, now, held, there }: Target & { held: Taken; there: LeaseRecord | undefined },
): Step {
  const { key, value, node, reservedIp, expires } = record;
  const lease = decodeRecord(record);
  const step = (action: Step["action"], reason?: string, create?: NewRecord): Step => ({
    what: "lease",
    subnet: lease.subnet,
    action,
    reason,
    lease: create,
    node: node === undefined ? undefined : printable(node, 40),
  });
  const subnet = subnetOfKey(key);
  const refusal = isRefusal(lease) ? `${lease.code}: ${lease.reason}` : undefined;
  if (subnet === undefined) return step("skip", refusal);
  if (expires !== undefined && expires <= now) {
    return step("skip", `it ended at ${new Date(expires).toISOString()}`);
  }
  const cidrs = subnetsIn(key).map(parseCidr);
  if (network !== undefined && !isOf(network, cidrs)) {
    return step("skip", "it is no subnet of the network");
  }
  if (there !== undefined && isTheSame(record, there)) return step("same");
  const other = held.inTheWayOf(record, { cidrs, lease: isRefusal(lease) ? undefined : lease });
  if (other !== undefined) {
    return step("conflict", network === undefined ? `${other.subnet} is there` : holderText(other, network));
  }
  // Left out it would leave its subnet to whoever comes first.
  if (isRefusal(lease) && !readable.has(lease.code)) return step("conflict", refusal);
  const left = expires === undefined ? undefined : Math.floor((expires - now) / 1000);
  const ttl = left === undefined ? undefined : Math.min(Math.max(1, left), MAX_TTL);
  return step("create", undefined, { key, value, node, reservedIp, ttl });
}

/** Whether they lie in the network; what follows the first is no matter where the network has one family only. */
function isOf({ network, ipv6 }: NetworkConfig, [first, second]: readonly Cidr[]): boolean {
  const isIn = (whole: Cidr, cidr: Cidr) => covers(whole, cidr) && !covers(cidr, whole);
  if (first === undefined || !isIn(network, first)) return false;
  return ipv6 === undefined || second === undefined || isIn(ipv6.network, second);
}

/** The same holder's, and of the same kind; what it announces and how long it lives is the store's to say. */
function isTheSame(record: LeaseRecord, there: LeaseRecord): boolean {
  if ((record.expires === undefined) !== (there.expires === undefined)) return false;
  return record.node === undefined && there.node === undefined
    ? addressIn(record) === addressIn(there)
    : record.node === there.node;
}

/** What stands in the target, or will. Plain numbers, because every lease is held against every other. */
class Taken {
  readonly #ranges: Readonly<Record<Family, (Range & { held: Held })[]>> = { 4: [], 6: [] };
  readonly #byNode = new Map<string, Held>();
  readonly #byAddress = new Map<string, Held>();
  readonly #network: NetworkConfig | undefined;

  constructor(held: readonly Held[], network: NetworkConfig | undefined) {
    this.#network = network;
    this.add(held);
  }

  add(all: readonly Held[]): void {
    for (const held of all) {
      const { cidr, cidr6, lease, record } = held;
      if (this.#network !== undefined && covers(cidr, this.#network.network)) continue;
      for (const one of cidr6 === undefined ? [cidr] : [cidr, cidr6]) {
        this.#ranges[one.family].push({ ...rangeOf(one), held });
      }
      if (this.#waits(lease)) continue;
      if (record.node !== undefined) this.#byNode.set(record.node, held);
      if (lease !== undefined) this.#byAddress.set(lease.publicIp, held);
    }
  }

  /** Who holds any of the lease's subnet, or the lease that its host or its address has already. */
  inTheWayOf(
    { node }: LeaseRecord,
    { cidrs, lease }: Pick<Held, "lease"> & { cidrs: readonly Cidr[] },
  ): Held | undefined {
    const range = cidrs.map((cidr) => {
      const { first, last } = rangeOf(cidr);
      return this.#ranges[cidr.family].find((one) => one.first <= last && first <= one.last);
    }).find((found) => found !== undefined);
    if (range !== undefined || this.#waits(lease)) return range?.held;
    const other = node === undefined ? undefined : this.#byNode.get(node);
    return other ?? (lease === undefined ? undefined : this.#byAddress.get(lease.publicIp));
  }

  #waits(lease: Lease | undefined): boolean {
    return lease !== undefined && isUnclaimed(lease, this.#network ?? { backendType: "" });
  }
}

/** Whether two JSON values are the same but for the order of fields. */
function isSame(a: Json, b: Json): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.keys(value).sort().map((key): Json => [key, sorted(value[key]!)]);
}

function anotherNetwork(url: string): FlanError {
  return new FlanError(
    `Cannot import into ${url}: another network config stands there, and nothing was written`,
    {
      op: "store.import",
      code: "failed",
      hint: "flan config get shows it; import into an empty store, or make the configs agree",
    },
  );
}
