/** What a host shows to a remote store. Only the places of secrets are settings; the secrets are read when needed. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, invalid, systemReason } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";

/** Every path is absolute. All are optional: a CA alone is enough for TLS. */
export interface Credentials {
  /** PEM file of authorities that the server's certificate may come from, beside those that Deno trusts anyway. */
  readonly ca?: string | undefined;
  /** PEM file of this host's own certificate, with its chain; needs `key`. */
  readonly cert?: string | undefined;
  /** PEM file of the certificate's private key. */
  readonly key?: string | undefined;
  /** etcd's user; needs `passwordFile`. */
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
  /** File of the bearer token for a store over HTTP. */
  readonly tokenFile?: string | undefined;
}

/** What every store is opened with. */
export interface OpenOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** For remote stores. */
  readonly credentials?: Credentials;
}

/** The largest of them, a PEM file with many authorities, has 250 kB on a Debian host. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * The text of one of the files, without the end of its last line. Throws `invalid` naming `setting` where it
 * cannot be read, is empty or is larger than 4 MiB.
 */
export function readCredential(path: string, setting: string): string {
  const bad = (why: string) => invalid("store.credentials", `Cannot use --${setting} ${path}: ${why}`);
  let text: string;
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile) throw bad("it is not a file");
    if (size > MAX_BYTES) throw bad("it is larger than 4 MiB");
    text = Deno.readTextFileSync(path).replace(/\r?\n$/, "");
  } catch (error) {
    throw error instanceof FlanError ? error : bad(systemReason(error));
  }
  if (text === "") throw bad("it is empty");
  return text;
}

/** What changes when one of the files does: their times and sizes, or "" where there are none. */
export function stampOf(paths: readonly (string | undefined)[]): string {
  return paths.flatMap((path) => {
    if (path === undefined) return [];
    try {
      const { mtime, size, ino } = Deno.statSync(path);
      return [`${path} ${ino} ${size} ${mtime?.getTime()}`];
    } catch {
      // Whoever reads it says what is wrong with it.
      return [`${path} gone`];
    }
  }).join("\n");
}
