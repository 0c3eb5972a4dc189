/** Whether a secret goes to a store as plain text. */
import { parseEtcdUrl } from "../etcd/endpoints.ts";
import type { StoreFinding } from "../store.ts";
import type { Credentials } from "./credentials.ts";

/** Whether nothing that is sent to this host of a URL leaves the machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** What is wrong with showing `credentials` to the store at `url`, or undefined. `url` is one that was opened. */
export function secretInClear(url: string, { user, tokenFile }: Credentials): StoreFinding | undefined {
  if (/^http:/i.test(url) && tokenFile !== undefined) return found("token", { urls: [url], tls: "https" });
  if (/^etcd:/i.test(url) && user !== undefined) {
    return found("password", { urls: parseEtcdUrl(url).origins, tls: "etcds" });
  }
  return undefined;
}

function found(
  secret: string,
  { urls, tls }: { urls: readonly string[]; tls: string },
): StoreFinding | undefined {
  const far = urls.map((url) => new URL(url)).filter(({ hostname }) => !isLoopback(hostname));
  if (far.length === 0) return undefined;
  const hosts = far.map(({ host }) => host).join(", ");
  return {
    code: `${secret}-in-clear`,
    severity: "warning",
    message: `The ${secret} goes to ${hosts} as plain text: whoever listens can use it`,
    hint: `${tls}: in --store protects it`,
  };
}
