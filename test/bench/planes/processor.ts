/** What the whole machine works meanwhile: every process and the kernel's own, interrupts included. */

/** Ticks a second of /proc/stat: USER_HZ is 100 on every architecture of Linux that flan knows (proc_stat(5)). */
const TICKS = 100;

/** Seconds of processor time since boot, from the text of /proc/stat: all but what was idle, waited or was stolen. */
export function busySeconds(stat: string): number {
  const [user, nice, system, , , irq, softirq] = /^cpu +(.*)$/m.exec(stat)![1]!.split(" ").map(Number);
  return (user! + nice! + system! + irq! + softirq!) / TICKS;
}

/** Runs `work`; resolves to its result and to the seconds that all processors were busy meanwhile. */
export async function measured<T>(work: () => Promise<T>): Promise<{ result: T; busy: number }> {
  const look = () => busySeconds(Deno.readTextFileSync("/proc/stat"));
  const before = look();
  const result = await work();
  return { result, busy: look() - before };
}
