/** What a command changed about one subnet, for people (a line) and for programs. */
import type { Lease } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { Released } from "../lease/release.ts";
import { isUnclaimed, reservedFor } from "../lease/reservation.ts";
import type { Json } from "../net/json.ts";
import { printable } from "../net/text.ts";
import { itemDocument } from "./lease_items.ts";
import { type Format, print, printJson, valueOf } from "./output.ts";

export interface Changed {
  readonly subnet: string;
  /** A stable word: `reserved`, `kept`, `removed`, `leased`, `released`, `revoked`, `same`. */
  readonly change: string;
  /** The line for a person. */
  readonly text: string;
  /** What stands there now. */
  readonly lease?: Json;
}

/** Refuses `-o value=FIELD` for a field there is not, before anything is changed. Throws `invalid`. */
export function requireChangeField(format: Format): void {
  if (format.kind === "value") valueOf({ subnet: null, change: null, lease: null }, format.field);
}

export function printChange(format: Format, { subnet, change, text, lease = null }: Changed): void {
  const document = { subnet, change, lease };
  if (format.kind === "json") printJson("lease-change", document);
  else print(format.kind === "value" ? valueOf(document, format.field) : printable(text, 2000));
}

/** What stands at a subnet after a change, as a document. `self` is this host's identity. */
export function leaseNow(
  lease: Lease,
  { config, self }: { config: NetworkConfig; self: string | undefined },
): Json {
  const state = isUnclaimed(lease, config) ? "reserved" : "peer";
  const { state: _, refused: __, ...document } = itemDocument({ state, lease }, self);
  return document;
}

/** `, which stays reserved for node 11111111111111aa`, or nothing where the subnet is free. */
export function stays({ reservation }: Released, self: string | undefined): string {
  if (reservation === undefined) return "";
  const isSelf = self !== undefined && reservation.node === self;
  return `, which stays reserved ${isSelf ? "for this host" : reservedFor(reservation)}`;
}
