/** What the kernel announces in a namespace between two moments. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { HostProcess } from "./host_process.ts";
import type { Hosts } from "./hosts.ts";

/** A table that nobody else uses: its routes are marks in the stream of events. */
const TABLE = 7777;

export class KernelMonitor {
  readonly #hosts: Hosts;
  readonly #host: LabHost;
  readonly #process: HostProcess;
  #marks = 0;

  private constructor(hosts: Hosts, host: LabHost) {
    this.#hosts = hosts;
    this.#host = host;
    this.#process = hosts.start(host, ["ip", "-oneline", "monitor", "all"]);
  }

  /** Listens from now on: resolves when the first mark was heard. */
  static async start(hosts: Hosts, host: LabHost): Promise<KernelMonitor> {
    const monitor = new KernelMonitor(hosts, host);
    // Marks until one is heard, for the program does not say when it listens.
    while (!monitor.#process.out.lines.some((line) => line.includes(`table ${TABLE}`))) await monitor.#mark();
    await monitor.heard();
    return monitor;
  }

  /** Everything announced since the last call, without the marks. */
  async heard(): Promise<string[]> {
    const from = this.#heard;
    const mark = await this.#mark();
    await this.#process.out.line(
      new RegExp(`Deleted.* ${mark} table ${TABLE}`),
      from,
    );
    this.#heard = this.#process.out.lines.length;
    return this.#process.out.lines.slice(from, this.#heard).filter((line) =>
      !line.includes(`table ${TABLE}`)
    );
  }
  #heard = 0;

  async #mark(): Promise<string> {
    // TEST-NET-3 (RFC 5737).
    const mark = `203.0.113.${++this.#marks % 256}`;
    await this.#hosts.ip(
      this.#host,
      `route add blackhole ${mark} table ${TABLE}`,
      `route delete blackhole ${mark} table ${TABLE}`,
    );
    return mark;
  }
}
