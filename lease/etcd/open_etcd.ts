/** The etcd store by its URL. */
import type { OpenOptions } from "../remote/credentials.ts";
import type { Store } from "../store.ts";
import { EtcdClient } from "./client.ts";
import { parseEtcdUrl } from "./endpoints.ts";
import { EtcdStore } from "./etcd_store.ts";
import { requireFitting } from "./fitting.ts";

/**
 * Opens `etcd://h1:2379,h2:2379/coreos.com/network`, or the same with `etcds` for TLS; sends nothing yet. Without a
 * port 2379 is meant, without a prefix flannel's `/coreos.com/network`. Throws `invalid` for what is no such URL, and
 * for credentials that do not fit.
 */
export function openEtcd(text: string, { clock, log, credentials }: Required<OpenOptions>): Store {
  const parsed = parseEtcdUrl(text);
  requireFitting(parsed, credentials);
  const { url, origins, prefix } = parsed;
  const gateway = new EtcdClient({ origins, credentials, clock, prefix });
  return new EtcdStore(gateway, { url, prefix, clock, log });
}
