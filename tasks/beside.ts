/** Two rows of work beside each other, and what both tell on one terminal without getting into one another. */

export type Tell = (text: string) => void;

export class Beside {
  readonly #write: Tell;
  /** What the second row has told and nobody has seen: of what has ended, and of what is under way. */
  #whole = "";
  #begun = "";
  /** Whether the second row has the terminal for itself. */
  #alone = false;

  constructor(write: Tell) {
    this.#write = write;
  }

  /**
   * Does all of both rows, each one by one, and resolves to what came of them. The first row is seen as it comes; of
   * the second, what has ended, between two of the first, and all as it comes once the first row is done.
   */
  async run<T, R>(
    { first, second }: { first: readonly T[]; second: readonly T[] },
    work: (one: T, tell: Tell) => Promise<R>,
  ): Promise<R[]> {
    const firsts = this.#row(first, (one) => work(one, this.#write), () => this.#show())
      .finally(() => {
        this.flush();
        this.#alone = true;
      });
    const seconds = this.#row(second, (one) => work(one, (text) => this.#tellSecond(text)), () => {
      [this.#whole, this.#begun] = [this.#whole + this.#begun, ""];
    });
    return (await Promise.all([firsts, seconds])).flat();
  }

  /** Shows all that is known, in the middle of whatever is told. */
  flush(): void {
    this.#show();
    this.#write(this.#begun);
    this.#begun = "";
  }

  async #row<T, R>(row: readonly T[], work: (one: T) => Promise<R>, done: () => void): Promise<R[]> {
    const results: R[] = [];
    for (const one of row) {
      results.push(await work(one));
      done();
    }
    return results;
  }

  #show(): void {
    this.#write(this.#whole);
    this.#whole = "";
  }

  #tellSecond(text: string): void {
    if (this.#alone) this.#write(text);
    else this.#begun += text;
  }
}
