/** flan as it is installed, in a folder of its own: for tests and figures of what users run. */
import { must } from "../../cmd/demo/shell.ts";
import { layout } from "../../tasks/packaging/layout.ts";
import { place } from "../../tasks/packaging/place.ts";

export class Installed implements Disposable {
  readonly #root = Deno.makeTempDirSync({ prefix: "flan-installed-" });
  /** The program. */
  readonly flan: string = `${this.#root}/usr/local/bin/flan`;
  /** What it needs where it is not to use this machine's `/var/cache/flan`. */
  readonly env: Readonly<Record<string, string>> = { DENO_DIR: `${this.#root}/cache` };

  private constructor() {}

  /** Runs it once, as an installation does, so that it is compiled. */
  static async create(): Promise<Installed> {
    const made = new Installed();
    const scratch = Deno.makeTempDirSync({ prefix: "flan-installed-" });
    try {
      place(await layout("/usr/local", scratch), made.#root);
      await must([made.flan, "completions", "bash"], made.env);
      return made;
    } catch (error) {
      made[Symbol.dispose]();
      throw error;
    } finally {
      Deno.removeSync(scratch, { recursive: true });
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#root, { recursive: true });
  }
}
