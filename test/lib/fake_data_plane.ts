/** A data plane in memory: what it was told, and what a test makes of it. */
import { KernelError } from "../../net/errors.ts";
import type { Carrier, DataPlane } from "../../proxy/data_plane.ts";
import type { Settings, Way } from "../../proxy/protocol.ts";

export class FakeCarrier implements Carrier {
  readonly ended: Promise<KernelError | undefined>;
  readonly ways = new Map<string, Way>();
  settings: Settings;
  /** How often routes were changed after it was opened. */
  changes = 0;
  /** What it has carried. */
  packets = 0;
  open = true;
  /** Whether the device that it reads still bears the link's name. */
  named = true;
  #end: (error: KernelError | undefined) => void;
  readonly #plane: FakeDataPlane;

  constructor(plane: FakeDataPlane, settings: Settings, routes: readonly Way[]) {
    this.#plane = plane;
    this.settings = settings;
    for (const way of routes) this.ways.set(way[0], way);
    const { promise, resolve } = Promise.withResolvers<KernelError | undefined>();
    [this.ended, this.#end] = [promise, resolve];
  }

  configure(settings: Settings): void {
    this.settings = settings;
  }

  change(put: readonly Way[], remove: readonly string[]): void {
    if (!this.open) throw new Error("it is closed");
    this.#plane.mayFail();
    this.changes++;
    for (const destination of remove) this.ways.delete(destination);
    for (const way of put) this.ways.set(way[0], way);
  }

  counters(): Record<string, number> {
    return { out_packets: this.packets, in_drop_source: 0 };
  }

  features(): readonly string[] {
    return ["tun-offload", "udp-gro"];
  }

  serves(): boolean {
    return this.named;
  }

  /** A descriptor fails for good. */
  fail(message: string, errno: string): void {
    this.#end(new KernelError(message, errno, { op: "proxy.run" }));
  }

  async close(): Promise<Record<string, number>> {
    this.#end(undefined);
    await this.#plane.closing;
    // What is counted while it stops.
    this.packets++;
    this.open = false;
    return this.counters();
  }
}

export class FakeDataPlane implements DataPlane {
  readonly opened: FakeCarrier[] = [];
  /** Held back by a test that looks at what happens while one closes. */
  closing: Promise<void> = Promise.resolve();
  #failure: KernelError | undefined;

  /** Lets the next attempt fail. */
  failNext(message: string, errno: string): void {
    this.#failure = new KernelError(message, errno, { op: "proxy.open" });
  }

  mayFail(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  open(settings: Settings, routes: readonly Way[]): Carrier {
    this.mayFail();
    const rival = this.opened.find((one) =>
      one.open && one.settings.link === settings.link && settings.queues === 1
    );
    if (rival !== undefined) {
      throw new KernelError(`a queue of ${settings.link} cannot be opened (EBUSY)`, "EBUSY", {
        op: "proxy.open",
      });
    }
    const { address, port } = settings;
    if (
      this.opened.some((one) => one.open && one.settings.address === address && one.settings.port === port)
    ) {
      throw new KernelError("Address already in use (EADDRINUSE)", "EADDRINUSE", { op: "proxy.open" });
    }
    const carrier = new FakeCarrier(this, settings, routes);
    this.opened.push(carrier);
    return carrier;
  }

  counterNames(): readonly string[] {
    return ["out_packets", "in_drop_source"];
  }

  /** The one that was opened last. */
  get last(): FakeCarrier {
    return this.opened.at(-1)!;
  }

  /** How many hold descriptors. */
  get openCount(): number {
    return this.opened.filter(({ open }) => open).length;
  }
}
