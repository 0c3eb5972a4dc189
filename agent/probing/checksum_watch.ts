/**
 * Watches for tunnel packets that arrive with a wrong checksum: what a sender whose hardware or kernel gets the
 * checksums of packets out of a tunnel wrong looks like from here. The kernel drops them without a word.
 */
import type { Plan } from "../../backends/backend.ts";
import type { Clock } from "../../net/clock.ts";
import type { Found, Judgement } from "../health/health.ts";

/** Between two looks. */
const PERIOD_MS = 10_000;
/** What is older is forgotten. */
const WINDOW_MS = 60_000;
/** Packets within that time that tell: one TCP connection that finds no way tries as often, and a bad wire hits fewer. */
const ENOUGH = 5;

/** What the kernel counts, all of it since the namespace or the socket was made. */
export interface UdpCounters {
  /** Packets with a wrong checksum, whatever their port; undefined where nobody tells. */
  errors(): number | undefined;
  /** Packets that each port's sockets have dropped; undefined where nobody tells. */
  drops(): ReadonlyMap<number, number> | undefined;
}

/**
 * The ports at which packets of a VXLAN plan arrive: that of the tunnel, and inside it that of the probes, if there are
 * any. Senders of other planes make their checksums themselves.
 */
export function tunnelPorts({ objects }: Pick<Plan, "objects">, probePort: number | undefined): number[] {
  const tunnels = objects.flatMap((one) =>
    one.kind === "link" && one.vxlan !== undefined ? [one.vxlan.port] : []
  );
  return tunnels.length === 0 || probePort === undefined ? tunnels : [...tunnels, probePort];
}

export interface ChecksumWatchParts {
  readonly clock: Clock;
  readonly counters: UdpCounters;
  readonly judge: (judgement: Judgement) => void;
}

interface Counted {
  readonly errors: number;
  readonly drops: ReadonlyMap<number, number>;
}

export class ChecksumWatch {
  readonly #parts: ChecksumWatchParts;
  #ports: readonly number[] = [];
  #before: Counted | undefined;
  #seen: { readonly port: number; readonly count: number; readonly at: number }[] = [];

  constructor(parts: ChecksumWatchParts) {
    this.#parts = parts;
  }

  /** Takes in at which UDP ports the network's packets arrive from now on. */
  follow(ports: readonly number[]): void {
    if (ports.join() === this.#ports.join()) return;
    this.#ports = ports;
    this.#before = this.#read(undefined);
    this.#seen = this.#seen.filter(({ port }) => ports.includes(port));
  }

  /** Looks every ten seconds until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look();
      await this.#parts.clock.sleep(PERIOD_MS, signal);
    }
  }

  #look(): void {
    const { clock, judge } = this.#parts;
    const now = clock.monotonic();
    const before = this.#before;
    this.#before = this.#read(before);
    if (before !== undefined && this.#before !== undefined) {
      const { errors, drops } = this.#before;
      for (const port of this.#ports) {
        const [was, is] = [before.drops.get(port) ?? 0, drops.get(port) ?? 0];
        // A socket that was made anew begins at 0; and packets are dropped for other reasons, too.
        const count = Math.min(is < was ? is : is - was, errors - before.errors);
        if (count > 0) this.#seen.push({ port, count, at: now });
      }
    }
    this.#seen = this.#seen.filter(({ at }) => now - at < WINDOW_MS);
    judge({ codes: ["checksum-errors"], found: this.#ports.flatMap((port) => this.#judged(port)) });
  }

  /** What is counted now. The sockets are read at first, and then only when there was another error. */
  #read(before: Counted | undefined): Counted | undefined {
    const { counters } = this.#parts;
    const errors = this.#ports.length === 0 ? undefined : counters.errors();
    if (errors === undefined || errors === before?.errors) return before;
    const drops = counters.drops();
    return drops === undefined ? before : { errors, drops };
  }

  #judged(port: number): Found[] {
    const count = this.#seen.filter((one) => one.port === port).reduce((sum, one) => sum + one.count, 0);
    if (count < ENOUGH) return [];
    const message =
      `${count} packets with a wrong UDP checksum came to port ${port} within a minute and were ` +
      `dropped; tcpdump -vvn udp port ${port} shows from whom`;
    return [{ code: "checksum-errors", subject: `udp/${port}`, message }];
  }
}
