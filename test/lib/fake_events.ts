/** What a {@link FakeStack} announces to one program, as its netlink socket gives it out. */
import type { KernelEvent } from "../../kernel/kernel.ts";
import { Queue } from "../../net/queue.ts";
import type { FakeStack } from "./fake_stack.ts";

export class FakeEvents implements AsyncIterable<KernelEvent> {
  /** Whether what is announced waits in the socket until it is asked for. */
  isDelayed = false;
  readonly #socket: KernelEvent[] = [];
  readonly #queue = new Queue<KernelEvent>();
  readonly #forget: () => void;
  #ended = false;

  /** Subscribes; `port` is the program's own. */
  constructor(stack: FakeStack, port: number) {
    this.#forget = stack.listen((event) => {
      this.#socket.push({ ...event, own: event.port === port });
      if (!this.isDelayed) this.arrive();
    });
  }

  /** What waits in the socket is read. */
  arrive(): void {
    for (const event of this.#socket.splice(0)) this.#queue.add(event);
  }

  async takenIn(): Promise<void> {
    await this.#queue.takenIn();
  }

  end(): void {
    this.#ended = true;
    this.#forget();
    this.#queue.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<KernelEvent, void, undefined> {
    try {
      for await (const event of this.#queue) {
        if (this.#ended) return;
        yield event;
      }
    } finally {
      this.end();
    }
  }
}
