/** A kernel as a process that may be frozen sees it: events wait, and nothing else is under way while it is. */
import type { Change, DumpRequest, Feature, Kernel, KernelEvent, RouteQuery } from "../../kernel/kernel.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import type { FakeStack } from "../lib/fake_stack.ts";
import type { Gate } from "./gate.ts";

export class GatedKernel implements Kernel {
  readonly kernel: FakeKernel;
  readonly #gate: Gate;

  constructor(stack: FakeStack, gate: Gate) {
    this.kernel = new FakeKernel(stack);
    this.#gate = gate;
  }

  require(features: readonly Feature[]) {
    return this.#gate.through(this.kernel.require(features));
  }

  dump(request: DumpRequest) {
    return this.#gate.through(this.kernel.dump(request));
  }

  apply(changes: readonly Change[]) {
    return this.#gate.through(this.kernel.apply(changes));
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

  routeGet(destination: string) {
    return this.#gate.through(this.kernel.routeGet(destination));
  }

  routeMatch(destination: string, query?: RouteQuery) {
    return this.#gate.through(this.kernel.routeMatch(destination, query));
  }

  close(): void {
    this.kernel.close();
  }
}
