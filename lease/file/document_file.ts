/** The file store's document on disk: read, written, and mended when it was damaged. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, messageOf, systemReason } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";
import { holdsSecret } from "../../net/secret_option.ts";
import {
  Damage,
  type Document,
  EMPTY,
  formatDocument,
  MAX_DOCUMENT,
  MAX_REVISION,
  parseDocument,
  whyUnreadable,
} from "../document/document.ts";
import { removeLeftovers, writeDurably } from "./durable_file.ts";

/**
 * A restored document begins this far above its backup, so that no revision of the lost document, which was
 * one write younger, is given out twice.
 */
const REVISION_GAP = 1024;
/** Why a document that is not there, but has a backup, must be restored. */
const MISSING = "it is missing";

/**
 * The document that was read last, and of which file. A document is only ever replaced by another file, so
 * one that still has the same number, size and times is not read and parsed again: with 10,000 leases that is
 * most of what a read costs.
 */
export class DocumentCache {
  #stamp = "";
  #document: Document | undefined;

  get(info: Deno.FileInfo): Document | undefined {
    return this.#document !== undefined && stampOf(info) === this.#stamp ? this.#document : undefined;
  }

  set(info: Deno.FileInfo, document: Document): void {
    this.#stamp = stampOf(info);
    this.#document = document;
  }
}

function stampOf({ dev, ino, size, mtime, ctime }: Deno.FileInfo): string {
  return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
}

/** The document at `path`, or undefined where there is none. Throws {@link Damage} or `store`. */
export async function loadDocument(path: string, cache?: DocumentCache): Promise<Document | undefined> {
  // The file may be replaced after this look: then its content is newer than its stamp, and is read again.
  const info = await lookAt(path);
  if (info === undefined) return undefined;
  const known = cache?.get(info);
  if (known !== undefined) return known;
  const text = await readText(path);
  if (text === undefined) return undefined;
  const document = parseDocument(text);
  cache?.set(info, document);
  return document;
}

/** The document for a reader, who changes nothing. Throws {@link Damage} or `store`. */
export async function readDocument(path: string, cache: DocumentCache): Promise<Document> {
  const document = await loadDocument(path, cache);
  if (document !== undefined) return document;
  if (!await hasBackup(path)) return EMPTY;
  // The network may have begun, and been written twice, between the two looks.
  const begun = await loadDocument(path, cache);
  if (begun !== undefined) return begun;
  throw new Damage(`it is missing (to start a new network, remove ${path}.backup, too)`);
}

/**
 * The document for a writer, who holds the lock: mended where it was damaged, or is missing beside its backup.
 * Without a backup that can be used nothing is touched and nothing begun: an empty network in the place of the
 * damaged one would lease the same subnets again. To start anew, remove the document and its backup; what lies
 * aside as `.bad-TIME` is kept for a person to look at, and counts for nothing. Throws `invalid` or `store`. */
export async function openDocument(
  path: string,
  tools: { clock: Clock; log: Logger; cache: DocumentCache },
): Promise<Document> {
  await removeLeftovers(path);
  let why: string;
  try {
    const document = await loadDocument(path, tools.cache);
    if (document !== undefined) return document;
    if (!await hasBackup(path)) return EMPTY;
    why = MISSING;
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    why = error.message;
  }
  return await restore(path, why, tools);
}

/** Writes a changed document, and keeps the one before it as `.backup`. For the holder of the lock. */
export async function saveDocument(path: string, document: Document): Promise<void> {
  const mode = modeFor(document);
  await writeDurably(path, textOf(path, document), { mode, beforeRename: () => keepBackup(path, mode) });
}

/** Everybody may read a document, unless there is a secret in it. */
function modeFor({ config }: Document): number {
  return config !== undefined && holdsSecret(config.value) ? 0o600 : 0o644;
}

/** The document's text, which can be read again. Throws `store` where it could not. */
function textOf(path: string, document: Document): string {
  const text = formatDocument(document);
  const why = whyUnreadable(document, text);
  if (why !== undefined) {
    const hint = document.revision > MAX_REVISION ? `lower "revision" in ${path}` : undefined;
    throw lost(`Cannot write ${path}: ${why}`, hint);
  }
  return text;
}

/** Puts the backup in the document's place and keeps what was damaged under another name. */
async function restore(
  path: string,
  why: string,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<Document> {
  const backup = await usableBackup(path);
  if (typeof backup === "string") {
    throw lost(
      `Cannot use ${path}: ${why}, and ${path}.backup is no help: ${backup}`,
      `put a good copy at ${path}, or remove it and ${path}.backup to start a new network`,
    );
  }
  const aside = why === MISSING ? undefined : await keepAside(path, clock);
  const revision = backup.revision + REVISION_GAP;
  const document = { ...backup, revision };
  await writeDurably(path, textOf(path, document), { mode: modeFor(document) });
  log.log("warning", `Restored ${path} from its backup: ${why}`, {
    code: "store-restored",
    ...(aside === undefined ? {} : { aside }),
    revision,
  });
  return document;
}

/** The backup, or why it cannot be used. */
async function usableBackup(path: string): Promise<Document | string> {
  try {
    return await loadDocument(`${path}.backup`) ?? "it does not exist";
  } catch (error) {
    return messageOf(error);
  }
}

/** Gives the file at `path` a second name, never one that exists. */
async function keepAside(path: string, clock: Clock): Promise<string> {
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  for (let i = 1;; i++) {
    const aside = `${path}.bad-${stamp}${i === 1 ? "" : `-${i}`}`;
    try {
      await Deno.link(path, aside);
      return aside;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || i === 99) throw error;
    }
  }
}

async function keepBackup(path: string, mode: number): Promise<void> {
  await removeIfThere(`${path}.backup`);
  try {
    await Deno.link(path, `${path}.backup`);
    // It may have been written before secrets were kept from others.
    if (mode === 0o600) await Deno.chmod(`${path}.backup`, mode);
  } catch (error) {
    // The first write of a network has nothing to keep.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function hasBackup(path: string): Promise<boolean> {
  try {
    await Deno.lstat(`${path}.backup`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw lost(`Cannot read ${path}.backup: ${systemReason(error)}`);
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What lies at `path`, if it is a regular file of a size that is read. */
async function lookAt(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    const info = await Deno.lstat(path);
    if (!info.isFile) {
      const kind = info.isSymlink ? "a symbolic link" : info.isDirectory ? "a directory" : "not a file";
      // No usage error: it may come to lie there while an agent runs, which then goes on with what it knows.
      throw lost(`Cannot use ${path} as a store: it is ${kind}, a regular file is needed`);
    }
    if (info.size > MAX_DOCUMENT) throw new Damage(`it is larger than ${MAX_DOCUMENT / 2 ** 20} MiB`);
    return info;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Damage || error instanceof FlanError) throw error;
    throw lost(`Cannot read ${path}: ${systemReason(error)}`);
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof TypeError) throw new Damage("it is not UTF-8 text");
    const isKept = error instanceof Deno.errors.PermissionDenied;
    const hint = isKept ? "only its owner may read it while there is a secret in it; use sudo" : undefined;
    throw lost(`Cannot read ${path}: ${systemReason(error)}`, hint);
  }
}

function lost(message: string, hint?: string): FlanError {
  return new FlanError(message, { op: "store", code: "store", hint });
}
