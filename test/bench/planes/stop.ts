/** How long flan's proxy takes to end in a flood of packets, from the request to the end of its process. */
import { join } from "./flan.ts";
import type { Standing } from "./round.ts";
import { must } from "../../../cmd/demo/shell.ts";

/** Seconds of flood, of which the first are for it to be one. */
const FLOOD = 2;
const HEAD_START_MS = 500;

/**
 * Milliseconds. The proxy is that of the receiving host, whose agent is ended before so that it does not start
 * another one at once; afterwards both run again.
 */
export async function stopTime({ pair, address }: Standing, program: string): Promise<number> {
  const { runDir } = pair.to;
  const agent = pidIn(`${runDir}/agent.lock`);
  Deno.kill(agent, "SIGTERM");
  await ended(agent);
  const proxy = pidIn(`${runDir}/proxy.lock`);
  const flood = pair.must(pair.from, [program, "send", address, "5201", "0", "0", String(FLOOD)]);
  await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
  const begun = performance.now();
  const conn = await Deno.connect({ transport: "unix", path: `${runDir}/proxy.sock` });
  await conn.write(new TextEncoder().encode('{"op":"stop"}\n'));
  await ended(proxy);
  const took = performance.now() - begun;
  conn.close();
  await flood;
  await join(pair, pair.to);
  await must(["ip", "netns", "exec", pair.from.namespace, "ping", "-q", "-c", "1", "-W", "5", address]);
  return took;
}

function pidIn(file: string): number {
  return Number(Deno.readTextFileSync(file).trim());
}

/** A process that has ended may still stand there as a zombie, until whoever adopted it has looked. */
async function ended(pid: number): Promise<void> {
  while (true) {
    try {
      const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
      if (/^.*\) Z/s.test(stat)) return;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
