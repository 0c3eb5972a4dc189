/** A new lease, written so that no two hosts get one subnet. */
import { FlanError } from "../net/errors.ts";
import { isConflict } from "./conflict.ts";
import { isFree } from "./free_subnets.ts";
import { parseKey, subnetsText } from "./key.ts";
import type { NetworkConfig } from "./network.ts";
import type { LeaseRecord, NewRecord, Store } from "./store.ts";

/**
 * Creates the lease. One of a single family shares its key with any other that would get the subnet. In dual stack two
 * keys may have one half in common, so what was written is looked at again: where somebody else has written one before,
 * this one is taken back. Throws `conflict` then, and where the key exists.
 */
export async function createLease(
  store: Store,
  wanted: NewRecord,
  config: NetworkConfig,
): Promise<LeaseRecord> {
  const record = await store.create(wanted);
  if (config.ipv6 === undefined) return record;
  const { subnet, subnet6 } = parseKey(record.key);
  const { records } = await store.read();
  const before = records.filter((one) =>
    one.revision < record.revision && !(one.node !== undefined && one.node === wanted.node)
  );
  const snapshot = { records: before, past: [] };
  const isAlone = isFree(subnet, { config, snapshot }) &&
    (subnet6 === undefined || isFree(subnet6, { config: config.ipv6, snapshot }));
  if (isAlone) return record;
  await store.remove(record.key, record.revision).catch((error) => {
    if (!isConflict(error)) throw error;
  });
  throw new FlanError(`Cannot lease ${subnetsText({ subnet, subnet6 })}: somebody else was faster`, {
    op: "lease.acquire",
    code: "conflict",
  });
}
