/** Tells when the process that holds the socket for ESP in UDP ends, unless this process ended it. */
import type { KernelEvent } from "../kernel/kernel.ts";
import type { EncapHolder } from "./encap_holder.ts";

export class EncapWatch {
  readonly #holder: Pick<EncapHolder, "whenEnded">;
  /** The process that was seen last. */
  #pid: number | undefined;
  #stopped: number | undefined;
  #seen = Promise.withResolvers<void>();

  constructor(holder: Pick<EncapHolder, "whenEnded">) {
    this.#holder = holder;
  }

  saw(pid: number): void {
    this.#pid = pid;
    this.#seen.resolve();
  }

  /** The process that was seen last is about to be ended by this one. */
  ends(): void {
    this.#stopped = this.#pid;
  }

  /** Costs nothing while none runs. */
  async follow(tell: (event: KernelEvent) => void, signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => aborted.resolve(), { once: true });
    let last: number | undefined;
    while (!signal.aborted) {
      const pid = this.#pid;
      if (pid === undefined || pid === last) {
        this.#seen = Promise.withResolvers<void>();
        await Promise.race([this.#seen.promise, aborted.promise]);
        continue;
      }
      await this.#holder.whenEnded(pid, signal);
      last = pid;
      if (signal.aborted || this.#stopped === pid) continue;
      tell({ group: "ipsec", action: "delete", own: false, port: 0 });
    }
  }
}
