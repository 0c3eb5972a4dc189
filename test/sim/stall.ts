/** An etcd that stands still (SIGSTOP, a full disk): connections stay, and what was asked meanwhile is done afterwards. */
export class Stall {
  #queue: (() => void)[] | undefined;

  get stalled(): boolean {
    return this.#queue !== undefined;
  }

  begin(): void {
    this.#queue ??= [];
  }

  later(work: () => void): void {
    this.#queue!.push(work);
  }

  end(): void {
    const queue = this.#queue ?? [];
    this.#queue = undefined;
    for (const work of queue) work();
  }
}
