/** A kernel as a process that may be frozen sees it: events wait, and nothing else is under way while it is. */
import type { Change, DumpRequest, Feature, Kernel, KernelEvent, RouteQuery } from "../../kernel/kernel.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import type { FakeStack } from "../lib/fake_stack.ts";
import type { Gate } from "./gate.ts";

export class GatedKernel implements Kernel {
  readonly kernel: FakeKernel;
  readonly #whole: Kernel;
  readonly #gate: Gate;

  /** `around` puts to the kernel what it does not know by itself. */
  constructor(stack: FakeStack, { gate, around }: { gate: Gate; around: (kernel: Kernel) => Kernel }) {
    this.kernel = new FakeKernel(stack);
    this.#whole = around(this.kernel);
    this.#gate = gate;
  }

  require(features: readonly Feature[]) {
    return this.#gate.through(this.#whole.require(features));
  }

  dump(request: DumpRequest) {
    return this.#gate.through(this.#whole.dump(request));
  }

  apply(changes: readonly Change[]) {
    return this.#gate.through(this.#whole.apply(changes));
  }

  async *events(signal: AbortSignal): AsyncGenerator<KernelEvent> {
    for await (const event of this.kernel.events(signal)) {
      await this.#gate.pass();
      yield event;
    }
  }

  hear() {
    return this.#gate.through(this.kernel.hear());
  }

  routeGet(destination: string, query?: RouteQuery) {
    return this.#gate.through(this.kernel.routeGet(destination, query));
  }

  routeMatch(destination: string, query?: RouteQuery) {
    return this.#gate.through(this.kernel.routeMatch(destination, query));
  }

  close(): void {
    this.#whole.close();
  }
}
