/** A program of the soak's traffic: one that ends before it is told to is an error. */
import type { HostProcess } from "../lib/host_process.ts";
import type { LineLog } from "../lib/line_log.ts";
import type { Told } from "./flows.ts";

/** What is needed of a process. */
export type Process = Pick<HostProcess, "out" | "err" | "ended" | "end">;

export class Runner {
  readonly #process: Process;
  readonly #about: Pick<Told, "name" | "ends">;
  readonly #begun = Date.now();
  #isTold = false;
  /** When it ended by itself. */
  #early: number | undefined;

  constructor(process: Process, about: Pick<Told, "name" | "ends">) {
    this.#process = process;
    this.#about = about;
    process.ended().then(({ code }) => {
      if (this.#isTold) return;
      this.#early = Date.now();
      // At once, and not after an hour.
      console.error(`soak: ${about.name} ended by itself with code ${code}`);
    });
  }

  get out(): LineLog {
    return this.#process.out;
  }

  /** Tells the program to end with a signal, unless it has, and resolves to all that it told when it has ended. */
  async end(signal: Deno.Signal): Promise<Told> {
    this.#isTold = true;
    const told = Date.now();
    const { code } = await this.#process.end(signal);
    return {
      ...this.#about,
      lines: this.#process.out.lines,
      begun: this.#begun,
      ended: this.#early ?? told,
      code,
      early: this.#early !== undefined,
      said: this.#process.err.lines.at(-1) ?? "",
    };
  }
}
