/**
 * How much of what an etcd says is borne. A network of flannel's has at most 65,536 leases, with a word each; whatever
 * is much more is another's data or an attack, and shall not fill this host's memory.
 */
import { FlanError } from "../../net/errors.ts";
import type { KeyValue } from "./fields.ts";

/** A /8 has 65,536 subnets of 24 bits; more than these is no network of flannel's. */
export const MAX_KEYS = 200_000;
/** Characters of base64 in all values together: 160 for each of those keys, which is what a lease of vxlan has. */
const MAX_VALUES = 32 * 1024 * 1024;
/** Objects, arrays, strings and numbers in all of them; a lease of vxlan has 6, and each costs up to 100 bytes. */
const MAX_PARTS = 2_000_000;

/** A sum over keys. */
export class Load {
  #keys = 0;
  #values = 0;
  #parts = 0;

  /** Adds a key, with the `parts` of its JSON where that was parsed. Throws `store-reply` beyond what is borne. */
  add({ rawValue }: KeyValue, parts = 0): void {
    this.#keys++;
    this.#values += rawValue.length;
    this.#parts += parts;
    if (this.#keys > MAX_KEYS) throw tooMuch(`more than ${MAX_KEYS} keys`);
    if (this.#values > MAX_VALUES) throw tooMuch(`more than ${MAX_VALUES / 1024 / 1024} MiB`);
    if (this.#parts > MAX_PARTS) throw tooMuch(`values with more than ${MAX_PARTS} parts`);
  }

  remove({ rawValue }: KeyValue, parts = 0): void {
    this.#keys--;
    this.#values -= rawValue.length;
    this.#parts -= parts;
  }

  copy(): Load {
    const copy = new Load();
    [copy.#keys, copy.#values, copy.#parts] = [this.#keys, this.#values, this.#parts];
    return copy;
  }
}

export function tooMuch(what: string): FlanError {
  return new FlanError(`Cannot use the contents of etcd: below its prefix are ${what}`, {
    op: "store.read",
    code: "store-reply",
  });
}
