/** TCP throughput from one host to another by iperf3: through the overlay and on the bare underlay, in alternation. */
import type { Lab, LabHost } from "../../cmd/demo/lab.ts";
import { iperf } from "./iperf.ts";
import { ratio } from "./statistics.ts";

export interface Throughput {
  /** Gbit/s of each round. */
  readonly overlay: readonly number[];
  readonly underlay: readonly number[];
  /** Median overlay over median underlay. */
  readonly ratio: number;
}

const args = ["--time", "2"];

export async function throughput(
  lab: Lab,
  { from, to, overlay }: { from: LabHost; to: LabHost; overlay: string },
): Promise<Throughput> {
  const rounds = { overlay: [] as number[], underlay: [] as number[] };
  for (let i = 0; i < 3; i++) {
    rounds.underlay.push(await iperf(lab, { from, to, address: to.address, args }));
    rounds.overlay.push(await iperf(lab, { from, to, address: overlay, args }));
  }
  return { ...rounds, ratio: ratio(rounds.overlay, rounds.underlay) };
}
