/** The etcd store by its URL. */
import { invalid } from "../../net/errors.ts";
import type { OpenOptions } from "../remote/credentials.ts";
import type { Store } from "../store.ts";
import { parseEtcdUrl } from "./endpoints.ts";
import { requireFitting } from "./fitting.ts";

/** Opens `etcd://h1:2379,h2:2379/coreos.com/network`. Throws `invalid`. */
export function openEtcd(text: string, { credentials }: Required<OpenOptions>): Store {
  const parsed = parseEtcdUrl(text);
  requireFitting(parsed, credentials);
  throw invalid("store.open", `Cannot open store ${parsed.url}: not built yet`);
}
