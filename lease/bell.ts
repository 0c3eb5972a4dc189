/** What wakes a watch. */

/** A reason to look again, which is not lost when it comes while nobody waits. */
export class Bell {
  #rung = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Makes this and every later wait throw `error`. */
  fail(error: unknown): void {
    this.#error = error;
    this.ring();
  }

  /** Resolves at the next ring, or at once when there was one since the last wait, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
      });
    }
    this.#wake = undefined;
    this.#rung = false;
    if (this.#error !== undefined && !signal.aborted) throw this.#error;
  }
}
