/** The process that holds the socket for ESP in UDP, in memory. */
import type { Holding } from "../../ipsec/encap_kernel.ts";
import { ENCAP_PORT } from "../../kernel/xfrm.ts";
import { KernelError } from "../../net/errors.ts";

export class FakeEncap implements Holding {
  readonly port = ENCAP_PORT;
  /** The process that runs. */
  pid: number | undefined;
  /** Whether another program has the port. */
  isTaken = false;
  started = 0;
  readonly #ends = new Map<number, PromiseWithResolvers<void>>();

  require(): void {
    if (this.isTaken) throw taken("unsupported");
  }

  look(): number | undefined {
    return this.pid;
  }

  start(): Promise<number> {
    if (this.isTaken) return Promise.reject(taken("failed"));
    this.kill();
    this.pid = 1000 + ++this.started;
    return Promise.resolve(this.pid);
  }

  stop(): Promise<void> {
    this.kill();
    return Promise.resolve();
  }

  /** Somebody ends it. */
  kill(): void {
    if (this.pid !== undefined) this.#endOf(this.pid).resolve();
    this.pid = undefined;
  }

  whenEnded(pid: number, signal: AbortSignal): Promise<void> {
    const end = this.#endOf(pid);
    signal.addEventListener("abort", () => end.resolve(), { once: true });
    return end.promise;
  }

  #endOf(pid: number): PromiseWithResolvers<void> {
    const end = this.#ends.get(pid) ?? Promise.withResolvers<void>();
    this.#ends.set(pid, end);
    return end;
  }
}

function taken(code: "unsupported" | "failed"): KernelError {
  const why = `Cannot take ESP out of UDP: port ${ENCAP_PORT} is taken by charon[7] (EADDRINUSE)`;
  return new KernelError(why, "EADDRINUSE", { op: "ipsec.encap", code });
}
