/** One process for each lock file: a lock that the kernel drops when its holder dies (flock(2)). */
import type { Clock } from "../net/clock.ts";

export interface Lock {
  release(): void;
}

/** For its owner alone: whoever may open a file to read it may lock it, and so keep the one from starting whose lock it is. */
const MODE = 0o600;

/** Takes the lock, or returns undefined while another process holds it. The directory must exist. */
export function tryLock(path: string): Lock | undefined {
  const file = Deno.openSync(path, { create: true, read: true, write: true, mode: MODE });
  if (!file.tryLockSync(true)) {
    file.close();
    return undefined;
  }
  Deno.chmodSync(path, MODE);
  file.truncateSync(0);
  file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  return { release: () => file.close() };
}

/** How often a lock that somebody holds is tried again. */
const TRY_MS = 50;

/** Takes the lock as soon as it is free, or resolves to undefined after `ms` milliseconds. */
export async function lockWithin(
  path: string,
  { ms, clock }: { ms: number; clock: Clock },
): Promise<Lock | undefined> {
  const deadline = clock.monotonic() + ms;
  while (true) {
    const lock = tryLock(path);
    if (lock !== undefined || clock.monotonic() >= deadline) return lock;
    await clock.sleep(TRY_MS);
  }
}

/**
 * Whether somebody holds the lock, found out without taking it: who holds it for a moment only must not be taken for
 * who holds it while it runs, nor stand in the way of one that starts. Who may not open the file goes by the list of
 * locks, which every user may read.
 */
export function isHeld(path: string): boolean {
  try {
    if (provenHolder(path) !== undefined) return true;
    // A holder that cannot be seen from here, as one of another PID namespace.
    using file = Deno.openSync(path);
    return !file.tryLockSync(false);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (error instanceof Deno.errors.PermissionDenied) return listedHolder(path) !== undefined;
    throw error;
  }
}

/** Resolves to whether nobody holds the lock, at the latest after `ms` milliseconds. */
export async function freeWithin(
  path: string,
  { ms, clock }: { ms: number; clock: Clock },
): Promise<boolean> {
  const deadline = clock.monotonic() + ms;
  while (isHeld(path)) {
    if (clock.monotonic() >= deadline) return false;
    await clock.sleep(TRY_MS);
  }
  return true;
}

/**
 * The process that certainly holds the lock, or undefined where it cannot be told. A number in the lock file
 * alone proves nothing: it may be a dead process's, and another process may bear it by now.
 */
export function provenHolder(path: string): number | undefined {
  const file = Deno.statSync(path);
  const proven = (pid: number) => pid !== Deno.pid && hasOpen(pid, file);
  for (let look = 0; look < LOOKS; look++) {
    const found = lockersOf(file.ino).find(proven);
    if (found !== undefined) return found;
  }
  const named = lockHolder(path);
  return named !== undefined && proven(named) ? named : undefined;
}

/** The process that holds a lock on a file of this number; undefined where none does, or the file cannot be seen. */
function listedHolder(path: string): number | undefined {
  const inode = readIfAny(() => Deno.statSync(path).ino) ?? null;
  for (let look = 0; look < LOOKS; look++) {
    const [found] = lockersOf(inode);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * How often /proc/locks is read before nobody is said to hold a lock. The kernel goes on from a position in its list at
 * each read(2), so that a lock can be missed while others come and go: once in 2,000 times with 80 restless locks.
 */
const LOOKS = 4;

/** Processes in /proc/locks (proc(5)) that hold a flock on a file with this inode, on whatever device. */
function lockersOf(inode: number | null): number[] {
  const lines = readIfAny(readLocks) ?? "";
  return lines.split("\n").flatMap((line) => {
    const found = /^\d+: FLOCK +\S+ +WRITE +(\d+) +[0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
    const pid = Number(found?.[1]);
    return found !== null && Number(found[2]) === inode && pid > 1 ? [pid] : [];
  });
}

/**
 * /proc/locks in reads of a page, as large as the kernel ever fills at once. (Deno.readTextFileSync begins with 32 bytes,
 * which is less than a line, and missed a lock once in 140 times.)
 */
function readLocks(): string {
  using file = Deno.openSync("/proc/locks");
  const page = new Uint8Array(4096);
  const decoder = new TextDecoder();
  let text = "";
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const length = file.readSync(page);
    if (length === null) break;
    text += decoder.decode(page.subarray(0, length), { stream: true });
  }
  return text;
}

/** Of the list of locks: 80,000 of them. */
const MAX_PAGES = 1000;

function hasOpen(pid: number, { dev, ino }: Deno.FileInfo): boolean {
  const names = readIfAny(() => [...Deno.readDirSync(`/proc/${pid}/fd`)].map((entry) => entry.name)) ?? [];
  return names.some((name) => {
    const open = readIfAny(() => Deno.statSync(`/proc/${pid}/fd/${name}`));
    return open !== undefined && open.dev === dev && open.ino === ino;
  });
}

/** A process may end while it is looked at, and may be one that we may not look at. */
function readIfAny<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The process that wrote the lock file last; whether it still runs is the lock's business. */
export function lockHolder(path: string): number | undefined {
  try {
    const pid = Number(Deno.readTextFileSync(path).trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.PermissionDenied) return listedHolder(path);
    throw error;
  }
}
