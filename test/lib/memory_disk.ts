/**
 * Files in memory, in the place of Deno's for every path below one directory: what agents keep then costs no system
 * call, and the order in which several of them go on does not depend on a disk. As much of Deno as agents use.
 */

interface Entry {
  text: string;
  readonly mode: number;
}

type Names =
  | "chmod"
  | "lstatSync"
  | "mkdirSync"
  | "open"
  | "openSync"
  | "readTextFileSync"
  | "remove"
  | "removeSync"
  | "rename"
  | "statSync";

const real = Object.fromEntries(
  ([
    "chmod",
    "lstatSync",
    "mkdirSync",
    "open",
    "openSync",
    "readTextFileSync",
    "remove",
    "removeSync",
    "rename",
    "statSync",
  ] as const).map((name) => [name, Deno[name]]),
) as Pick<typeof Deno, Names>;

export class MemoryDisk implements Disposable {
  /** Nothing is there on a real disk. */
  readonly root = "/memory-disk";
  readonly #files = new Map<string, Entry>();
  readonly #locks = new Map<string, Promise<void>>();
  readonly #holders = new Set<object>();

  /** Whether somebody holds a lock, or waits for one. */
  get isLocked(): boolean {
    return this.#holders.size > 0;
  }

  /** Takes Deno's place until it is disposed of. */
  constructor() {
    const here = (path: unknown) => typeof path === "string" && path.startsWith(`${this.root}/`);
    const own = this.#calls();
    for (const name of Object.keys(own) as Names[]) {
      const [mine, theirs] = [own[name], real[name]] as ((...args: unknown[]) => unknown)[];
      Object.assign(Deno, { [name]: (...args: unknown[]) => (here(args[0]) ? mine! : theirs!)(...args) });
    }
  }

  [Symbol.dispose](): void {
    Object.assign(Deno, real);
  }

  /** A file for root alone that is there before anybody comes. */
  put(path: string, text: string): void {
    this.#files.set(path, { text, mode: 0o600 });
  }

  /** Takes away everything below a directory. */
  wipe(directory: string): void {
    for (const path of [...this.#files.keys()]) {
      if (path.startsWith(`${directory}/`)) this.#files.delete(path);
    }
  }

  #calls(): Record<Names, (...args: never[]) => unknown> {
    const openSync = (path: string, options: Deno.OpenOptions = {}) => this.#open(path, options);
    const removeSync = (path: string) => {
      this.#get(path);
      this.#files.delete(path);
    };
    const statSync = (path: string) => ({ isFile: true, size: this.#get(path).text.length });
    return {
      // deno-lint-ignore require-await -- what is not there must be a rejection
      chmod: async (path: string) => void this.#get(path),
      lstatSync: statSync,
      mkdirSync: () => undefined,
      // deno-lint-ignore require-await -- as above
      open: async (path: string, options?: Deno.OpenOptions) => openSync(path, options),
      openSync,
      readTextFileSync: (path: string) => this.#get(path).text,
      // deno-lint-ignore require-await -- as above
      remove: async (path: string) => removeSync(path),
      removeSync,
      // deno-lint-ignore require-await -- as above
      rename: async (from: string, to: string) => {
        this.#files.set(to, this.#get(from));
        this.#files.delete(from);
      },
      statSync,
    };
  }

  #get(path: string): Entry {
    const entry = this.#files.get(path);
    if (entry === undefined) throw new Deno.errors.NotFound(`No such file or directory: '${path}'`);
    return entry;
  }

  #open(path: string, { create, createNew, mode = 0o644 }: Deno.OpenOptions) {
    const known = this.#files.has(path);
    if (createNew && known) throw new Deno.errors.AlreadyExists(`File exists: '${path}'`);
    if ((create || createNew) && !known) this.#files.set(path, { text: "", mode });
    return this.#handle(path);
  }

  #handle(path: string) {
    let release = () => {};
    const holder = {};
    const unlock = () => {
      this.#holders.delete(holder);
      release();
    };
    return {
      lock: async () => {
        this.#holders.add(holder);
        const before = this.#locks.get(path);
        const held = new Promise<void>((resolve) => release = resolve);
        this.#locks.set(path, before === undefined ? held : before.then(() => held));
        await before;
      },
      write: (bytes: Uint8Array) => {
        this.#get(path).text += new TextDecoder().decode(bytes);
        return Promise.resolve(bytes.length);
      },
      sync: () => Promise.resolve(),
      close: () => unlock(),
      [Symbol.dispose]: () => unlock(),
    };
  }
}
