/** The events of a kernel together with those of something else that is put around it. */
import type { Kernel, KernelEvent } from "./kernel.ts";
import { type Merged, merged, type Sources } from "./merged.ts";

/** {@link Kernel.events} and {@link Kernel.hear} of the two together. */
export class MergedEvents {
  readonly #kernel: Pick<Kernel, "events" | "hear">;
  readonly #follow: Sources<KernelEvent>["second"];
  readonly #closing = new AbortController();
  readonly #streams = new Set<Merged<KernelEvent>>();

  /** `follow` is called for each who listens. */
  constructor(kernel: Pick<Kernel, "events" | "hear">, follow: Sources<KernelEvent>["second"]) {
    this.#kernel = kernel;
    this.#follow = follow;
  }

  events(signal: AbortSignal): AsyncIterable<KernelEvent> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const first = (until: AbortSignal) => this.#kernel.events(until);
    const stream = merged({ first, second: this.#follow }, stop);
    this.#streams.add(stream);
    void stream.closed.then(() => this.#streams.delete(stream));
    return stream;
  }

  async hear(): Promise<void> {
    await this.#kernel.hear();
    await Promise.all([...this.#streams].map((stream) => stream.takenIn()));
  }

  /** Ends all streams. */
  close(): void {
    this.#closing.abort();
  }
}
