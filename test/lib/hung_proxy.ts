/** Proxies that hang, or that nobody can reach, for tests of what becomes of them. */
import type { LabHost } from "../../cmd/demo/lab.ts";

/** What may happen to a process that still holds its lock. */
export const ways = [
  { name: "stands still", lab: "hung", harm: (_: LabHost, pid: number) => Deno.kill(pid, "SIGSTOP") },
  {
    name: "has lost its socket's file",
    lab: "nosock",
    harm: ({ runDir }: LabHost) => Deno.removeSync(`${runDir}/proxy.sock`),
  },
] as const;

/** The process, by the lock that it holds: one that hangs cannot be asked. */
export function pidOf({ runDir }: LabHost): number {
  return Number(Deno.readTextFileSync(`${runDir}/proxy.lock`));
}

export function isGone(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)![0] === "Z";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}
