/** A dual-stack lease as one of its halves, in the places of the first family. */
import type { Family } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import type { Lease } from "./lease.ts";

/**
 * The half of a dual-stack network's lease, with nothing of the other one; undefined where it has none. The same lease
 * has the same halves, so that what was made of a half can be found again.
 */
export function halfOf(lease: Lease, family: Family): Lease | undefined {
  return family === 6 ? secondHalf(lease, undefined) : firstHalf(lease, undefined);
}

const firstHalf = memo((lease: Lease, _: undefined): Lease => {
  const { subnet6: _subnet, publicIp6: _publicIp, backendV6Data: _data, ...first } = lease;
  return first;
});

const secondHalf = memo((lease: Lease, _: undefined): Lease | undefined => {
  const { subnet6, publicIp6, backendV6Data, ...first } = lease;
  if (subnet6 === undefined || publicIp6 === undefined) return undefined;
  return { ...first, subnet: subnet6, publicIp: publicIp6, backendData: backendV6Data };
});
