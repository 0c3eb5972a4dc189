/** flan as it is installed, in a folder of its own: for tests and figures of what users run. */
import { must } from "../../cmd/demo/shell.ts";
import type { Entry } from "../../tasks/packaging/entry.ts";
import { homeOf, layout } from "../../tasks/packaging/layout.ts";
import { place } from "../../tasks/packaging/place.ts";

const prefix = "/usr/local";

export class Installed implements Disposable {
  readonly #root = Deno.makeTempDirSync({ prefix: "flan-installed-" });
  #entries: readonly Entry[] = [];
  /** The program. */
  readonly flan: string = `${this.#root}${prefix}/bin/flan`;
  /** The folder of flan's own tree. */
  readonly home: string = this.#root + homeOf(prefix);
  /** What it needs where it is not to use this machine's `/var/cache/flan`. */
  readonly env: Readonly<Record<string, string>> = { DENO_DIR: `${this.#root}/cache` };

  /** Runs it so, from wherever: what its arguments are put after. */
  readonly command: readonly [string, ...string[]] = ["env", `DENO_DIR=${this.env["DENO_DIR"]}`, this.flan];

  private constructor() {}

  /** Compiles it, as an installation does. */
  static async create(): Promise<Installed> {
    const made = new Installed();
    try {
      const bundled = `${made.#root}/bundled`;
      Deno.mkdirSync(bundled);
      made.#entries = await layout(prefix, bundled);
      made.upgrade();
      await must([`${made.home}/bin/compile`], made.env);
      return made;
    } catch (error) {
      made[Symbol.dispose]();
      throw error;
    }
  }

  /** Puts other files into the place of all, as an upgrade does. */
  upgrade(): void {
    place(this.#entries, this.#root);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#root, { recursive: true });
  }
}
