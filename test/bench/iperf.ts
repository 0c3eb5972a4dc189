/** TCP between two hosts by iperf3, as fast as it goes. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { Outcome } from "../../cmd/demo/shell.ts";

/** What it takes of a lab, or of a pair of hosts. */
export interface Place {
  command(host: LabHost, argv: readonly string[]): [string, ...string[]];
  on(host: LabHost, argv: readonly string[]): Promise<Outcome>;
}

export interface Way {
  readonly from: LabHost;
  readonly to: LabHost;
  /** Of `to`: on the underlay, or in an overlay. */
  readonly address: string;
}

interface Sum {
  readonly bits_per_second: number;
}

/** Gbit/s received, both directions together with `--bidir`. `args` are the client's. */
export async function iperf(
  place: Place,
  { from, to, address, args }: Way & { args: readonly string[] },
): Promise<number> {
  const server = [..."iperf3 --server --one-off --forceflush --bind".split(" "), address];
  const [program, ...rest] = place.command(to, server);
  const child = new Deno.Command(program, { args: rest, stdin: "null", stdout: "piped" }).spawn();
  const lines = child.stdout.getReader();
  await lines.read(); // "Server listening"
  lines.releaseLock();
  const { stdout, stderr, code } = await place.on(from, ["iperf3", "--client", address, "--json", ...args]);
  // A server that no client reached waits for ever.
  if (code !== 0) child.kill("SIGKILL");
  await child.stdout.cancel();
  await child.status;
  if (code !== 0) throw new Error(stderr || stdout);
  const { end } = JSON.parse(stdout) as {
    end: { sum_received: Sum; sum_received_bidir_reverse?: Sum };
  };
  return (end.sum_received.bits_per_second + (end.sum_received_bidir_reverse?.bits_per_second ?? 0)) / 1e9;
}
