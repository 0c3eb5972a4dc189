/** The figures of the planes as they come. One that fails has none: what it did before would stand for what it does. */
import type { Round } from "./round.ts";

/** The name under which it is told that the proxy's end could not be measured. */
const STOP = "stop in a flood";

export class Tally {
  /** By the names of planes. */
  readonly rounds: Record<string, Round[]> = {};
  /** Milliseconds. */
  get stops(): readonly number[] {
    return this.#stops.of;
  }
  /** What has failed, and why. */
  readonly missing: Record<string, string> = {};
  /** Of which plane, as it goes with that. */
  #stops: { readonly plane: string; readonly of: number[] } = { plane: "", of: [] };
  readonly #tell: (text: string) => void;

  /** `tell` is told at once of what fails. */
  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** Whether a plane has not failed yet. */
  isWhole(name: string): boolean {
    return !(name in this.missing);
  }

  /** Makes a plane. */
  async make(name: string, work: () => Promise<void>): Promise<void> {
    await this.#told(name, work);
  }

  /** Adds a round of a plane that has not failed yet. */
  async round(name: string, work: () => Promise<Round>): Promise<void> {
    if (!this.isWhole(name)) return;
    await this.#told(name, async () => {
      (this.rounds[name] ??= []).push(await work());
    });
  }

  /** Adds how long the proxy of a plane took to end, unless that or the plane has failed. */
  async stop(name: string, work: () => Promise<number>): Promise<void> {
    if (!this.isWhole(name) || !this.isWhole(STOP)) return;
    await this.#told(STOP, async () => {
      const took = await work();
      this.#stops = { plane: name, of: [...this.stops, took] };
    });
  }

  /** Does `work`. What it fails for stands in `missing`, and figures of that name are no more. */
  async #told(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const rounds = this.rounds[name]?.length ?? (name === STOP ? this.stops.length : 0);
      this.missing[name] = rounds === 0 ? why : `in round ${rounds + 1}: ${why}`;
      delete this.rounds[name];
      if (name === STOP || name === this.#stops.plane) this.#stops = { plane: "", of: [] };
      this.#tell(`${name} fails: ${this.missing[name]}`);
    }
  }
}
