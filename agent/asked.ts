/** Questions that only a look begun after them can answer: those that come during one wait for the next. */
export class Asked<T> {
  #waiting: PromiseWithResolvers<T> | undefined;
  #looking: PromiseWithResolvers<T> | undefined;

  /** Resolves with the answer of the next look that begins. */
  ask(): Promise<T> {
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** A look begins. */
  begin(): void {
    this.#looking = this.#waiting;
    this.#waiting = undefined;
  }

  /** The look is over. */
  answer(value: T): void {
    this.#looking?.resolve(value);
    this.#looking = undefined;
  }

  /** No look ends any more. */
  refuse(error: Error): void {
    for (const one of [this.#looking, this.#waiting]) one?.reject(error);
    this.#looking = this.#waiting = undefined;
  }
}
