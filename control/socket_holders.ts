/** Which processes have a socket open, by what /proc tells of them (proc(5)). */

/** What is read of /proc; tests bring their own. */
export interface ProcFiles {
  /** The text of a file, undefined where there is none. */
  text(path: string): string | undefined;
  /** The names in a directory, sorted; none where there is no such directory or it may not be read. */
  names(path: string): readonly string[];
  /** Where a link points, undefined where it cannot be told. */
  target(path: string): string | undefined;
}

/** Directories and links of this host. */
export const procLinks: Pick<ProcFiles, "names" | "target"> = {
  names(path) {
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch (error) {
      if (isOutOfSight(error)) return [];
      throw error;
    }
  },
  target(path) {
    try {
      return Deno.readLinkSync(path);
    } catch (error) {
      if (isOutOfSight(error)) return undefined;
      throw error;
    }
  },
};

/** A process may end, and a file go, while it is looked at; what may not be seen is not there for this user. */
function isOutOfSight(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotADirectory ||
    (error instanceof Error && /os error (3|22)\b/.test(error.message));
}

/** For each inode whose process can be seen, that process as `name[number]`. Looks at every process of the host. */
export function holdersOf(proc: ProcFiles, inodes: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const pid of proc.names("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const inode of socketsOf(proc, pid)) {
      if (!inodes.has(inode) || found.has(inode)) continue;
      found.set(inode, `${(proc.text(`/proc/${pid}/comm`) ?? "process").trim()}[${pid}]`);
    }
    if (found.size === inodes.size) break;
  }
  return found;
}

/** The inodes of the sockets that a process has open, as far as they may be seen. */
export function socketsOf(proc: Pick<ProcFiles, "names" | "target">, pid: number | string): string[] {
  return proc.names(`/proc/${pid}/fd`).flatMap((fd) => {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(proc.target(`/proc/${pid}/fd/${fd}`) ?? "") ?? [];
    return inode === undefined ? [] : [inode];
  });
}
