/** How large a packet of the overlay may be on this host. */
import { invalid } from "../net/errors.ts";
import type { Host } from "./backend.ts";

/** What every IPv4 host must accept (RFC 791). */
const MIN_MTU = 576;

/**
 * The overlay's MTU where at most `most` fits the underlay: the host's own wish, or all that fits. Throws `invalid`
 * for a wish or an underlay that leaves no room.
 */
export function overlayMtu(host: Host, most: number): number {
  if (most < MIN_MTU) {
    throw invalid(
      "backend.mtu",
      `Cannot use underlay ${host.underlay.link} with MTU ${host.underlay.mtu}: ` +
        `the overlay would have ${most}, and ${MIN_MTU} is needed`,
    );
  }
  const wanted = host.mtu ?? most;
  if (wanted < MIN_MTU || wanted > most) {
    throw invalid(
      "backend.mtu",
      `Cannot use MTU ${wanted}: ${MIN_MTU} to ${most} fits underlay ${host.underlay.link}`,
      `--mtu ${most}`,
    );
  }
  return wanted;
}

/** The device's MTU, whatever the host wishes: a running network goes on with what fits, and `mtu` tells what does not. */
export function plannedMtu(host: Host, most: number): number {
  return Math.max(MIN_MTU, Math.min(host.mtu ?? most, most));
}
