/** Who waits for the next change of the proxy's state. */

/** More are refused: each of them holds one of the connections that there are for everybody. */
const MAX_FOLLOWERS = 16;

export class Followers {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next {@link tell}, or when `gone` aborts. Throws Error where too many wait. */
  wait(gone: AbortSignal): Promise<void> {
    if (this.#waiting.size >= MAX_FOLLOWERS) throw new Error(`more than ${MAX_FOLLOWERS} follow it already`);
    return new Promise((resolve) => {
      const end = () => {
        this.#waiting.delete(end);
        gone.removeEventListener("abort", end);
        resolve();
      };
      this.#waiting.add(end);
      gone.addEventListener("abort", end, { once: true });
      if (gone.aborted) end();
    });
  }

  tell(): void {
    for (const end of [...this.#waiting]) end();
  }
}
