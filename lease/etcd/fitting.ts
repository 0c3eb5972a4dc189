/** Whether what this host shows to an etcd goes with its URL. */
import { invalid } from "../../net/errors.ts";
import { quoted } from "../../net/text.ts";
import type { Credentials } from "../remote/credentials.ts";
import type { EtcdUrl } from "./endpoints.ts";

/** Throws `invalid` for credentials that are of no use with this URL: they are meant for another, or mistyped. */
export function requireFitting({ url, tls }: EtcdUrl, credentials: Credentials): void {
  const { ca, cert, key, user, passwordFile, tokenFile } = credentials;
  const bad = (why: string, hint?: string) =>
    invalid("store.open", `Cannot open store ${quoted(url, 400)}: ${why}`, hint);
  if (tokenFile !== undefined) {
    throw bad("--store-token-file is for a store over HTTP", "--store-user NAME --store-password-file FILE");
  }
  if (user !== undefined && passwordFile === undefined) {
    throw bad("--store-user needs --store-password-file");
  }
  if (user === undefined && passwordFile !== undefined) {
    throw bad("--store-password-file needs --store-user");
  }
  if (!tls) {
    const needing = Object.entries({ "--store-ca": ca, "--store-cert": cert, "--store-key": key })
      .filter(([, path]) => path !== undefined).map(([name]) => name);
    if (needing.length > 0) {
      const verb = needing.length === 1 ? "needs" : "need";
      throw bad(`${needing.join(" and ")} ${verb} TLS`, `--store etcds${url.slice("etcd".length)}`);
    }
  }
  if (cert !== undefined && key === undefined) throw bad("--store-cert needs --store-key");
  if (cert === undefined && key !== undefined) throw bad("--store-key needs --store-cert");
}
