/** The store over HTTP by its URL. */
import { invalid } from "../../net/errors.ts";
import type { OpenOptions } from "../remote/credentials.ts";
import type { Store } from "../store.ts";

/** Opens `http://host:4380/network.json`. Throws `invalid`. */
export function openHttp(url: string, _options: Required<OpenOptions>): Store {
  throw invalid("store.open", `Cannot open store ${url}: not built yet`);
}
