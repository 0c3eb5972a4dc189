/** flan as a user runs it: a process with its own directories, no settings from this machine, and what it said. */
const root = decodeURIComponent(new URL(import.meta.resolve("../../")).pathname);

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>;
  /** What runs the command: `["ip", "netns", "exec", NAME]`. */
  readonly within?: readonly string[];
}

/** Directories of one host. Everything that flan could write by default lies in {@link Sandbox.dir}. */
export class Sandbox implements Disposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-cli-" });
  readonly store = `${this.dir}/network.json`;
  readonly within: readonly string[];

  constructor({ within = [] }: { within?: readonly string[] } = {}) {
    this.within = within;
    Deno.writeTextFileSync(`${this.dir}/config.yaml`, "");
  }

  /** Runs flan to its end. A document that it prints must be what its schema says. */
  async flan(args: readonly string[], options: Options = {}): Promise<Said> {
    const { code, stdout, stderr } = await this.command(args, options).output();
    const text = new TextDecoder();
    const said = { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    await requireValidDocument(said.stdout);
    return said;
  }

  /** The process, not yet started, with its output in pipes. */
  command(args: readonly string[], { env = {}, within = this.within }: Options = {}): Deno.Command {
    const run = [Deno.execPath(), "run", "--quiet", "--allow-all", `${root}main.ts`];
    const [program, ...rest] = [...within, ...run, ...args] as [string, ...string[]];
    return new Deno.Command(program, {
      args: rest,
      clearEnv: true,
      env: { ...this.#env(), ...env },
      cwd: this.dir,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  #env(): Record<string, string> {
    const inherited = ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      ...Object.fromEntries(inherited),
      // The machine's own /etc/flan/config.yaml must not speak here.
      FLAN_CONFIG: `${this.dir}/config.yaml`,
      FLAN_STORE: `file:${this.store}`,
      FLAN_STATE_DIR: `${this.dir}/state`,
      FLAN_RUN_DIR: `${this.dir}/run`,
    };
  }

  write(name: string, data: string | Uint8Array): string {
    const path = `${this.dir}/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (typeof data === "string") Deno.writeTextFileSync(path, data);
    else Deno.writeFileSync(path, data);
    return path;
  }

  /** Every file and directory, so that two listings show what was written. */
  list(dir = this.dir): string[] {
    return [...Deno.readDirSync(dir)].flatMap((entry) => {
      const path = `${dir}/${entry.name}`;
      return entry.isDirectory ? [path, ...this.list(path)] : [path];
    }).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }
}

/** The validator is loaded where there is something to validate. */
async function requireValidDocument(stdout: string): Promise<void> {
  if (!/^\{\s*"schema": ?"flan\./.test(stdout)) return;
  const { requireValid } = await import("../lib/schemas.ts");
  requireValid(JSON.parse(stdout));
}

/** Does `work` for all items, a few at a time: starting a process takes longer than what it does. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.map((item, i) => [item, i] as const).values();
  const worker = async () => {
    for (const [item, i] of queue) results[i] = await work(item);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return results;
}

/** A JSON file below `fixtures/`. */
export function fixture<T>(path: string): T {
  return JSON.parse(Deno.readTextFileSync(`${root}fixtures/${path}`)) as T;
}

/** The path of a file below `fixtures/`. */
export function fixturePath(path: string): string {
  return `${root}fixtures/${path}`;
}
