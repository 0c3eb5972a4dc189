/** The etcd store by its URL. */
import { invalid } from "../../net/errors.ts";
import type { OpenOptions } from "../remote/credentials.ts";
import type { Store } from "../store.ts";

/** Opens `etcd://h1:2379,h2:2379/coreos.com/network`. Throws `invalid`. */
export function openEtcd(url: string, _options: Required<OpenOptions>): Store {
  throw invalid("store.open", `Cannot open store ${url}: not built yet`);
}
