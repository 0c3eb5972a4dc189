import { Gate } from "./gate.ts";

/** An etcd that stands still (SIGSTOP, a full disk): connections stay, and what was asked meanwhile is done afterwards. */
export class Stall extends Gate {
  readonly #queue: (() => void)[] = [];

  get stalled(): boolean {
    return !this.isOpen;
  }

  /** Does something when it goes on. */
  later(work: () => void): void {
    this.#queue.push(work);
  }

  override open(): void {
    super.open();
    for (const work of this.#queue.splice(0)) work();
  }
}
