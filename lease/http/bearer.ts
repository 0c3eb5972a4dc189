/** The bearer token (RFC 6750) of a store over HTTP, read again when its file changes. */
import { invalid } from "../../net/errors.ts";
import { readCredential, stampOf } from "../remote/credentials.ts";

export class Bearer {
  readonly #file: string | undefined;
  #latest: { readonly stamp: string; readonly header: string } | undefined;

  /** Without a file there is no token. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** The header that shows the token. Throws `invalid` for a file that cannot be used. */
  headers(): Readonly<Record<string, string>> {
    if (this.#file === undefined) return {};
    const stamp = stampOf([this.#file]);
    if (this.#latest?.stamp !== stamp) {
      const token = readCredential(this.#file, "store-token-file");
      if (!/^[\x21-\x7e]{1,4096}$/.test(token)) {
        const why = "it must hold one token of at most 4096 letters, digits and signs";
        throw invalid("store.credentials", `Cannot use --store-token-file ${this.#file}: ${why}`);
      }
      this.#latest = { stamp, header: `Bearer ${token}` };
    }
    return { authorization: this.#latest.header };
  }
}
