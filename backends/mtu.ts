/** How large a packet of the overlay may be on this host. */
import { invalid } from "../net/errors.ts";
import { type Family, familyOf } from "../net/ip.ts";
import type { Host } from "./backend.ts";

/** What every host must accept (RFC 791), and below which a link carries no IPv6 (RFC 8200): Linux takes it away there. */
const LEAST: Readonly<Record<Family, number>> = { 4: 576, 6: 1280 };

function leastOf({ underlay }: Host): number {
  return LEAST[familyOf(underlay.address)];
}

/**
 * The overlay's MTU where at most `most` fits the underlay: the host's own wish, or all that fits. Throws `invalid`
 * for a wish or an underlay that leaves no room.
 */
export function overlayMtu(host: Host, most: number): number {
  const least = leastOf(host);
  if (most < least) {
    throw invalid(
      "backend.mtu",
      `Cannot use underlay ${host.underlay.link} with MTU ${host.underlay.mtu}: ` +
        `the overlay would have ${most}, and ${least} is needed`,
    );
  }
  const wanted = host.mtu ?? most;
  if (wanted < least || wanted > most) {
    throw invalid(
      "backend.mtu",
      `Cannot use MTU ${wanted}: ${least} to ${most} fits underlay ${host.underlay.link}`,
      `--mtu ${most}`,
    );
  }
  return wanted;
}

/** The device's MTU, whatever the host wishes: a running network goes on with what fits, and `mtu` tells what does not. */
export function plannedMtu(host: Host, most: number): number {
  return Math.max(leastOf(host), Math.min(host.mtu ?? most, most));
}
