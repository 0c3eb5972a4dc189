/** A data plane to measure: what carries packets from one host of a pair to the other. */
import type { Pair } from "./pair.ts";

export interface Plane {
  /** As it stands in the table. */
  readonly name: string;
  /** What it is, for whoever reads the table. */
  readonly about: string;
  /** `rates` is for one that differs from another one in nothing else. */
  readonly measures: "all" | "rates";
  /** Makes it on both hosts; resolves to the address of `pair.to` in it when packets can go. */
  make(pair: Pair): Promise<string>;
}

/** Milliseconds that a plane has to carry the first packet, and between two looks. */
const PATIENCE_MS = 20_000;
const LOOK_MS = 100;

/** Waits until `to` answers. Throws where it does not in time. */
export async function reachable(pair: Pair, address: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (true) {
    const { code } = await pair.on(pair.from, ["ping", "-n", "-q", "-c", "1", "-W", "1", address]);
    if (code === 0) return;
    if (performance.now() > deadline) throw new Error(`${address} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Addresses of the planes that have no subnets, TEST-NET-2 (RFC 5737): from, to. */
export const overlay = ["198.51.100.1", "198.51.100.2"] as const;

/** No plane: the underlay itself, which the others are compared with. */
export const bare: Plane = {
  name: "bare",
  about: "the veth pair itself, MTU 1500",
  measures: "all",
  make: (pair) => Promise.resolve(pair.to.address),
};
