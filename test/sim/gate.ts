/** What a process waits for passes here, so that one that is frozen or dead hears of nothing. */
export class Gate {
  #shut: Promise<void> | undefined;
  #open: () => void = () => {};

  get isOpen(): boolean {
    return this.#shut === undefined;
  }

  shut(): void {
    this.#shut ??= new Promise((resolve) => this.#open = resolve);
  }

  /** Lets everything that came meanwhile through at once. */
  open(): void {
    this.#open();
    this.#shut = undefined;
  }

  async pass(): Promise<void> {
    while (this.#shut !== undefined) await this.#shut;
  }

  async through<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      await this.pass();
    }
  }
}
