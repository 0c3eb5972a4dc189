/** A network as one document, out of any store and into any other: what would be done, and doing it. */
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import { covers, lastAddress, parseCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { printable } from "../net/text.ts";
import { isConflict } from "./conflict.ts";
import { addressIn, decodeRecord, isRefusal } from "./decode.ts";
import { Damage, type Document, formatDocument, parseDocument } from "./document/document.ts";
import { isObject } from "./go_json.ts";
import { type Held, heldSubnets, holderText } from "./held.ts";
import { type NetworkConfig, parseNetworkConfig } from "./network.ts";
import type { Lease } from "./lease.ts";
import { isUnclaimed } from "./reservation.ts";
import type { LeaseRecord, NewRecord, Snapshot, Store } from "./store.ts";

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
  readonly action: "create" | "same" | "skip" | "conflict";
  /** Why it is left, as a clause. */
  readonly reason: string | undefined;
  /** The record to create. */
  readonly lease: NewRecord | undefined;
  readonly node: string | undefined;
}

/** Numbers inside the text compare as numbers, so that 10.5.9.0-24 stands before 10.5.10.0-24. */
const byNumber = new Intl.Collator("en", { numeric: true });

interface Target {
  readonly network: NetworkConfig | undefined;
  readonly now: number;
}

/**
 * What importing the document into a store with these contents does. Nothing that stands there is overwritten or
 * prolonged: a lease is created only where its subnet is free and its holder has none, and for what is left of its
 * life at `now` (milliseconds since 1970). Throws `invalid` for a network config that cannot be used.
 */
export function planImport(document: Document, snapshot: Snapshot, now: number): Step[] {
  const config = configStep(document, snapshot);
  const value = snapshot.config?.value ?? document.config?.value;
  const target = { network: value === undefined ? undefined : parseNetworkConfig(value), now };
  const held = new Taken(heldSubnets(snapshot), target.network);
  const there = new Map(snapshot.records.map((record) => [record.key, record]));
  const keys = [...document.leases.keys()].sort(byNumber.compare);
  const leases = keys.map((key) => {
    const record = document.leases.get(key)!;
    const step = leaseStep(record, { ...target, held, there: there.get(key) });
    if (step.action === "create") held.add(heldSubnets({ records: [record] }));
    return step;
  });
  return [...config, ...leases];
}

/**
 * Does what the steps say and returns what became of each: another writer may have been faster. Throws `failed`,
 * having written nothing, where the store serves another network.
 */
export async function applyImport(store: Store, steps: readonly Step[], document: Document): Promise<Step[]> {
  const done: Step[] = [];
  for (const step of steps) {
    if (step.what === "config" && step.action === "conflict") throw anotherNetwork(store.url);
    if (step.action !== "create") {
      done.push(step);
      continue;
    }
    try {
      if (step.lease === undefined) await store.writeConfig(document.config!.value, 0);
      else await store.create(step.lease);
      done.push(step);
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (step.lease === undefined) throw anotherNetwork(store.url);
      done.push({ ...step, action: "conflict", reason: "another host took it meanwhile" });
    }
  }
  return done;
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
  const { key, value, node, expires } = record;
  const lease = decodeRecord(record);
  const step = (action: Step["action"], reason?: string, create?: NewRecord): Step => ({
    what: "lease",
    subnet: lease.subnet,
    action,
    reason,
    lease: create,
    node: node === undefined ? undefined : printable(node, 40),
  });
  if (isRefusal(lease)) return step("skip", `${lease.code}: ${lease.reason}`);
  if (expires !== undefined && expires <= now) {
    return step("skip", `it ended at ${new Date(expires).toISOString()}`);
  }
  const cidr = parseCidr(lease.subnet);
  if (network !== undefined && (!covers(network.network, cidr) || covers(cidr, network.network))) {
    return step("skip", "it is no subnet of the network");
  }
  if (there !== undefined && isTheSame(record, there)) return step("same");
  const other = held.inTheWayOf(record, lease);
  if (other !== undefined) {
    return step("conflict", network === undefined ? `${other.subnet} is there` : holderText(other, network));
  }
  const ttl = expires === undefined ? undefined : Math.max(1, Math.floor((expires - now) / 1000));
  return step("create", undefined, { key, value, node, ttl });
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
  readonly #ranges: { first: number; last: number; held: Held }[] = [];
  readonly #byNode = new Map<string, Held>();
  readonly #byAddress = new Map<string, Held>();
  readonly #network: NetworkConfig | undefined;

  constructor(held: readonly Held[], network: NetworkConfig | undefined) {
    this.#network = network;
    this.add(held);
  }

  add(all: readonly Held[]): void {
    for (const held of all) {
      const { cidr, lease, record } = held;
      if (this.#network !== undefined && covers(cidr, this.#network.network)) continue;
      this.#ranges.push({ first: Number(cidr.address), last: Number(lastAddress(cidr)), held });
      if (this.#waits(lease)) continue;
      if (record.node !== undefined) this.#byNode.set(record.node, held);
      if (lease !== undefined) this.#byAddress.set(lease.publicIp, held);
    }
  }

  /** Who holds any of the lease's subnet, or the lease that its host or its address has already. */
  inTheWayOf({ node }: LeaseRecord, lease: Lease): Held | undefined {
    const cidr = parseCidr(lease.subnet);
    const [first, last] = [Number(cidr.address), Number(lastAddress(cidr))];
    const range = this.#ranges.find((one) => one.first <= last && first <= one.last);
    if (range !== undefined || this.#waits(lease)) return range?.held;
    return (node === undefined ? undefined : this.#byNode.get(node)) ?? this.#byAddress.get(lease.publicIp);
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
