/** The addresses for which the kernel has asked (on-demand mode), the latest last. */

/** So many are answered at once; whoever scans the network pushes its own questions out. */
const MOST = 8192;

export class Wanted {
  readonly #addresses = new Set<string>();

  /** What a plan needs; it changes as questions come and go. */
  get addresses(): ReadonlySet<string> {
    return this.#addresses;
  }

  /** Notes a question. The one that was asked longest ago is forgotten where there are too many. */
  add(address: string): void {
    this.#addresses.delete(address);
    const [oldest] = this.#addresses;
    if (oldest !== undefined && this.#addresses.size >= MOST) this.#addresses.delete(oldest);
    this.#addresses.add(address);
  }

  /** Returns whether it was noted. */
  forget(address: string): boolean {
    return this.#addresses.delete(address);
  }
}
