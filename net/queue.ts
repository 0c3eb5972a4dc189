/** Items on their way to one reader, and those who wait until it has taken them in. */

export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #ended = false;
  #isRead = false;
  /** Whether the reader has taken all that there was, and waits for more. */
  #isIdle = false;
  #wake = () => {};
  #waiting: (() => void)[] = [];

  add(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Nothing more comes; the reader still gets what is there. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /**
   * Resolves when the reader has dealt with all that was added before the call, which is when it asks for more, or when it
   * has left; at once where nobody reads.
   */
  async takenIn(): Promise<void> {
    if (!this.#isRead || (this.#isIdle && this.#items.length === 0)) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** For one reader only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    this.#isRead = true;
    try {
      for (;;) {
        while (this.#items.length > 0) yield this.#items.shift()!;
        if (this.#ended) return;
        this.#settle();
        this.#isIdle = true;
        await new Promise<void>((resolve) => this.#wake = resolve);
        this.#isIdle = false;
      }
    } finally {
      this.#isRead = false;
      this.#settle();
    }
  }

  #settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
