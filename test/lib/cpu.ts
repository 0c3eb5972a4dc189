/** How much processor time a process uses. */

/** Clock ticks, of which Linux has 100 a second (USER_HZ), that the process has spent so far: utime and stime of proc(5). */
export function ticksOf(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name of the program, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
