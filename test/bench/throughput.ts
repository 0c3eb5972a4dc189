/** TCP throughput from one host to another by iperf3: through the overlay and on the bare underlay, in alternation. */
import type { Lab, LabHost } from "../../cmd/demo/lab.ts";

export interface Throughput {
  /** Gbit/s of each round. */
  readonly overlay: readonly number[];
  readonly underlay: readonly number[];
  /** Median overlay over median underlay. */
  readonly ratio: number;
}

async function once(
  lab: Lab,
  { from, to, address }: { from: LabHost; to: LabHost; address: string },
): Promise<number> {
  const [program, ...args] = lab.command(to, [
    "iperf3",
    "--server",
    "--one-off",
    "--bind",
    address,
    "--forceflush",
  ]);
  const server = new Deno.Command(program, { args, stdin: "null", stdout: "piped" }).spawn();
  const lines = server.stdout.getReader();
  await lines.read(); // "Server listening"
  lines.releaseLock();
  const { stdout, stderr, code } = await lab.on(from, [
    "iperf3",
    "--client",
    address,
    "--time",
    "2",
    "--json",
  ]);
  await server.stdout.cancel();
  await server.status;
  if (code !== 0) throw new Error(stderr || stdout);
  return JSON.parse(stdout).end.sum_received.bits_per_second / 1e9;
}

export async function throughput(
  lab: Lab,
  { from, to, overlay }: { from: LabHost; to: LabHost; overlay: string },
): Promise<Throughput> {
  const rounds = { overlay: [] as number[], underlay: [] as number[] };
  for (let i = 0; i < 3; i++) {
    rounds.underlay.push(await once(lab, { from, to, address: to.address }));
    rounds.overlay.push(await once(lab, { from, to, address: overlay }));
  }
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[1]!;
  return { ...rounds, ratio: median(rounds.overlay) / median(rounds.underlay) };
}
