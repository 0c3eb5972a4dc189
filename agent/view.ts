/** The view of the network from this host: what the store holds, and those who linger. */
import type { Host } from "../backends/backend.ts";
import { leaseKey } from "../lease/key.ts";
import type { Lease } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { networksOf } from "../lease/stack.ts";
import type { Snapshot } from "../lease/store.ts";
import { makeView, type View } from "../lease/view.ts";
import type { Linger } from "./linger.ts";

export interface Place {
  readonly snapshot: Snapshot;
  readonly config: NetworkConfig;
  readonly host: Host;
  readonly own: Lease | undefined;
  /** Whether the store is in trouble, so that nobody who lingers is given up. */
  readonly isHeld: boolean;
}

export function viewFrom({ snapshot, config, host, own, isHeld }: Place, linger: Linger): View {
  const { node } = host;
  const all = linger.take(snapshot, { node, networks: networksOf(config), isHeld });
  const ownKey = own && leaseKey(own);
  // What somebody wrote over the own lease is the keeper's to judge, and no peer.
  const records = all.records.filter((record) => record.key !== ownKey || record.node === node);
  return { ...makeView({ ...all, records }, { ...host, network: config }), own };
}
