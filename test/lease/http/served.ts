/** A file store in a directory of its own, served over HTTP inside the test's process. */
import { systemClock } from "../../../agent/clock.ts";
import { FileStore } from "../../../lease/file/file_store.ts";
import { HttpDocument } from "../../../lease/http/http_document.ts";
import { HttpStore } from "../../../lease/http/http_store.ts";
import { serve, type ServeOptions, type Serving } from "../../../lease/http/serve.ts";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import type { Clock } from "../../../net/clock.ts";
import { type Logger, silent } from "../../../net/log.ts";

export type ServedOptions = Partial<
  Pick<ServeOptions, "tls" | "tokenFile" | "readTokenFile" | "log" | "clock">
>;

export class ServedStore implements AsyncDisposable {
  readonly dir: string;
  readonly path: string;
  /** Of the document, with the port that was free. */
  readonly url: string;
  #serving: Serving | undefined;
  readonly #options: ServedOptions;
  readonly #open: HttpStore[] = [];

  private constructor(dir: string, { serving, options }: { serving: Serving; options: ServedOptions }) {
    this.dir = dir;
    this.path = pathIn(dir);
    this.url = serving.url;
    this.#serving = serving;
    this.#options = options;
  }

  /** `prepare` gets the directory first, and may put files into it. */
  static async start(
    prepare: (dir: string) => ServedOptions | Promise<ServedOptions> = () => ({}),
  ): Promise<ServedStore> {
    const dir = await Deno.makeTempDir({ prefix: "flan-http-" });
    try {
      const options = await prepare(dir);
      return new ServedStore(dir, { serving: await begin(dir, { options, port: 0 }), options });
    } catch (error) {
      await Deno.remove(dir, { recursive: true });
      throw error;
    }
  }

  get waiting(): number {
    return this.#serving!.waiting();
  }

  /** The file behind the server, as a local process opens it. */
  local(clock: Clock = systemClock): FileStore {
    return new FileStore(this.path, { clock, log: silent });
  }

  /** A host's store; `clock` is the host's, requests are paced by the real one. */
  store(
    { clock = systemClock, log = silent, credentials = {} }: {
      clock?: Clock;
      log?: Logger;
      credentials?: Credentials;
    } = {},
  ): HttpStore {
    const document = new HttpDocument(new URL(this.url), { clock: systemClock, credentials });
    const store = new HttpStore(document, { clock, pace: systemClock, log });
    this.#open.push(store);
    return store;
  }

  async stop(): Promise<void> {
    await this.#serving?.stop();
    this.#serving = undefined;
  }

  /** Stops, if it runs, and serves again at the same port. */
  async restart(): Promise<void> {
    await this.stop();
    const port = Number(new URL(this.url).port);
    this.#serving = await begin(this.dir, { options: this.#options, port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#open) store.close();
    await this.stop();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** A clock that tells the time of another one, and does everything else in real time. */
export function telling(now: () => number): Clock {
  return { ...systemClock, now };
}

function pathIn(dir: string): string {
  return `${dir}/store/network.json`;
}

function begin(dir: string, { options, port }: { options: ServedOptions; port: number }): Promise<Serving> {
  const store = new FileStore(pathIn(dir), { clock: systemClock, log: silent });
  return serve(store, { hostname: "127.0.0.1", port, clock: systemClock, log: silent, ...options });
}
