/** Who may read and who may write a served document: bearer tokens (RFC 6750) from files. */
import { FlanError, invalid } from "../../net/errors.ts";
import { readCredential, stampOf } from "../remote/credentials.ts";

/** What a token allows. */
export type Right = "none" | "read" | "write";

/** More tokens in one file are not for a handful of hosts, and each costs every request. */
const MAX_TOKENS = 1000;

export interface AccessOptions {
  /** Tokens that may read and write, one a line. */
  readonly tokenFile?: string | undefined;
  /** Tokens that may only read, one a line. */
  readonly readTokenFile?: string | undefined;
}

/**
 * Without a file everybody has the right. Files are read again when they change; one that cannot be used then
 * lets nobody in.
 */
export class Access {
  readonly #files: AccessOptions;
  #stamp: string | undefined;
  #writers: readonly Uint8Array[] = [];
  #readers: readonly Uint8Array[] = [];

  constructor(files: AccessOptions) {
    this.#files = files;
  }

  /** Throws `invalid` for a file that cannot be used. */
  async load(): Promise<void> {
    const { tokenFile, readTokenFile } = this.#files;
    const stamp = stampOf([tokenFile, readTokenFile]);
    if (stamp === this.#stamp) return;
    this.#stamp = undefined;
    this.#writers = await digestsIn(tokenFile, "token-file");
    this.#readers = await digestsIn(readTokenFile, "read-token-file");
    this.#stamp = stamp;
  }

  /** The right of whoever shows this `Authorization` header. Throws as {@link load}. */
  async rightOf(authorization: string | null): Promise<Right> {
    await this.load();
    const { tokenFile, readTokenFile } = this.#files;
    if (tokenFile === undefined && readTokenFile === undefined) return "write";
    const token = /^Bearer +([\x21-\x7e]{1,4096}) *$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return "none";
    const shown = await digest(token);
    // Every token is looked at to its end: how long it takes tells nothing about any of them.
    const writes = isAmong(shown, this.#writers);
    const reads = isAmong(shown, this.#readers);
    return writes ? "write" : reads ? "read" : "none";
  }
}

async function digestsIn(path: string | undefined, setting: string): Promise<Uint8Array[]> {
  if (path === undefined) return [];
  const lines = readCredential(path, setting).split("\n").map((line) => line.trim()).filter(Boolean);
  const bad = lines.findIndex((line) => !/^[\x21-\x7e]{1,4096}$/.test(line));
  const why = lines.length === 0
    ? "it holds no token"
    : lines.length > MAX_TOKENS
    ? `it holds more than ${MAX_TOKENS} tokens`
    : bad >= 0
    ? `line ${bad + 1} is not one token of at most 4096 letters, digits and signs`
    : undefined;
  if (why !== undefined) throw invalid("store.credentials", `Cannot use --${setting} ${path}: ${why}`);
  return await Promise.all(lines.map(digest));
}

async function digest(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

/** Digests have one length, so comparing them tells neither a token's length nor where it differs. */
function isAmong(shown: Uint8Array, known: readonly Uint8Array[]): boolean {
  let found = 0;
  for (const one of known) {
    const difference = one.reduce((sum, byte, i) => sum | (byte ^ shown[i]!), 0);
    found |= difference === 0 ? 1 : 0;
  }
  return found === 1;
}

/** The refusal of a request that lacks the right, for the client. */
export function denied(right: Right): FlanError {
  const message = right === "none" ? "a token that is known here is needed" : "this token may only read";
  return new FlanError(message, { op: "store.serve", code: "store-denied" });
}
