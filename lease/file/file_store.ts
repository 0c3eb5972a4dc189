/** The store in a local JSON file, shared by every process of this machine that may write it. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, messageOf, systemReason } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import type { Logger } from "../../net/log.ts";
import type { Changed } from "../document/change.ts";
import { Damage, type Document, EMPTY } from "../document/document.ts";
import { DocumentStore } from "../document/document_store.ts";
import { watchSnapshots } from "../document/watch.ts";
import type {
  LeaseRecord,
  NewRecord,
  Settled,
  Snapshot,
  StoredConfig,
  StoreFinding,
  WatchOptions,
} from "../store.ts";
import { DocumentCache, openDocument, readDocument, saveDocument } from "./document_file.ts";
import { directoryOf } from "./durable_file.ts";
import { fileBell } from "./file_bell.ts";
import { FileLock } from "./file_lock.ts";

/** How often a watch looks whether its directory is still the one at the path, milliseconds. */
const RECHECK = 30_000;

export interface FileStoreOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Readers take no lock, because a document is replaced as a whole. Writers hold `PATH.lock` while they read,
 * change and replace it. Beside the document lie its predecessor (`PATH.backup`) and, after damage,
 * what was damaged (`PATH.bad-TIME`). A document that is missing while its backup is there counts as damaged:
 * whoever wants to start anew removes both.
 */
export class FileStore extends DocumentStore {
  readonly url: string;
  readonly path: string;
  readonly #log: Logger;
  readonly #lock: FileLock;
  readonly #cache = new DocumentCache();

  /** `path` is checked by {@link openStore}; its directory is made by the write that begins a network. */
  constructor(path: string, { clock, log }: FileStoreOptions) {
    super(clock);
    this.url = `file:${path}`;
    this.path = path;
    this.#log = log;
    this.#lock = new FileLock(`${path}.lock`, clock);
  }

  async read(): Promise<Snapshot> {
    return this.snapshot(await this.document());
  }

  /** The document as it is, for a server that hands it on; the same object until it changes. Throws as `read`. */
  async document(): Promise<Document> {
    try {
      return await readDocument(this.path, this.#cache);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  /**
   * Puts the document that `change` makes of the present one in its place, like every write under the lock and
   * with a backup; what `change` throws goes up. Throws as the other writes do, and where the directory is
   * missing: it may have been moved, or is not mounted.
   */
  async replace(change: (present: Document) => Promise<Document>): Promise<void> {
    const directory = directoryOf(this.path);
    if (!await isThere(directory)) {
      const message = `Cannot write ${this.path}: directory ${directory} is missing`;
      throw new FlanError(message, { op: "store.write", code: "store" });
    }
    await this.change(async (present) => ({ document: await change(present), result: undefined }));
  }

  async *watch(
    from: number,
    signal: AbortSignal,
    { troubled = (error) => this.#logDamage(error) }: WatchOptions = {},
  ): AsyncGenerator<Snapshot> {
    if (signal.aborted) return;
    // Armed before the first read, so that no change falls between the two. A directory that is missing is not
    // made: it may have been moved, and is to find its place free when it comes back.
    await using watched = await fileBell(this.path, signal).catch((error) => {
      if (!signal.aborted) throw error;
      return undefined;
    });
    if (watched === undefined) return;
    let quiet = false;
    const read = async (): Promise<Snapshot | undefined> => {
      await watched.check();
      try {
        const snapshot = this.snapshot(await readDocument(this.path, this.#cache));
        if (quiet) troubled(undefined);
        quiet = false;
        return snapshot;
      } catch (error) {
        if (!(error instanceof Damage)) throw this.#readError(error);
        if (!quiet) troubled(this.#readError(error));
        quiet = true;
        return undefined;
      }
    };
    const source = { url: this.url, clock: this.clock, bell: watched.bell, recheck: RECHECK, read };
    yield* watchSnapshots(source, { from, signal });
  }

  override async create(lease: NewRecord): Promise<LeaseRecord> {
    await this.makeDirectory();
    return await super.create(lease);
  }

  override async createAll(leases: readonly NewRecord[], settled: Settled): Promise<void> {
    await this.makeDirectory();
    await super.createAll(leases, settled);
  }

  override async writeConfig(value: Json, expected: number): Promise<StoredConfig> {
    if (expected === 0) await this.makeDirectory();
    return await super.writeConfig(value, expected);
  }

  async inspect(): Promise<readonly StoreFinding[]> {
    const { revision } = await this.read();
    if (revision <= 1 || await isThere(`${this.path}.backup`)) return [];
    const message = `The store ${this.path} has no backup: if it is damaged, it cannot be restored`;
    return [{ code: "backup-missing", severity: "warning", message, hint: "the next write makes one" }];
  }

  /** Nothing is held open between calls. */
  close(): void {}

  protected async change<T>(
    change: (present: Document) => Changed<T> | Promise<Changed<T>>,
  ): Promise<T> {
    // Nothing stands where there is no directory, and a write that expects something makes none.
    if (!await isThere(directoryOf(this.path))) return (await change(EMPTY)).result;
    try {
      return await this.#lock.hold(async () => {
        const tools = { clock: this.clock, log: this.#log, cache: this.#cache };
        const before = await openDocument(this.path, tools);
        const { document, result } = await change(before);
        if (document === before) return result;
        await saveDocument(this.path, document);
        // What was written is what a read would find, and nobody else writes while the lock is held.
        this.#cache.set(await Deno.lstat(this.path), document);
        return result;
      });
    } catch (error) {
      if (error instanceof FlanError && error.code !== "failed") throw error;
      const message = error instanceof FlanError
        ? error.message
        : `Cannot write ${this.path}: ${systemReason(error)}`;
      throw new FlanError(message, { op: "store.write", code: "store", cause: error });
    }
  }

  /** For whoever begins something in it. Throws `store`. */
  async makeDirectory(): Promise<void> {
    const directory = directoryOf(this.path);
    try {
      await Deno.mkdir(directory, { recursive: true, mode: 0o755 });
    } catch (error) {
      const message = `Cannot make directory ${directory}: ${systemReason(error)}`;
      throw new FlanError(message, { op: "store.open", code: "store", cause: error });
    }
  }

  #logDamage(error: FlanError | undefined): void {
    if (error !== undefined) this.#log.log("warning", error.message, { code: "store-damaged" });
  }

  #readError(error: unknown): FlanError {
    if (error instanceof FlanError) return error;
    const why = error instanceof Damage ? error.message : messageOf(error);
    return new FlanError(`Cannot use ${this.path}: ${why}`, {
      op: "store.read",
      code: error instanceof Damage ? "store-damaged" : "store",
      cause: error,
    });
  }
}

async function isThere(directory: string): Promise<boolean> {
  try {
    await Deno.stat(directory);
    return true;
  } catch (error) {
    // Whatever else is wrong with it, the write says so.
    return !(error instanceof Deno.errors.NotFound);
  }
}
