/** A host in one line, for `systemctl status`: `14 peers, 0 drift, lease 10.244.7.0/24 renew in 11h`. */
import type { Agent } from "./agent.ts";
import { driftOf } from "./status.ts";

/** More would not be one line. */
const MAX_CODES = 5;

/** The codes of what is wrong stand at its end, each once. */
export function statusLine({ state: { plan, report, own, renewIn }, health }: Agent): string {
  const lease = own === undefined ? "no lease" : `lease ${own.subnet} ${renewal(renewIn)}`;
  const codes = [...new Set(health.list().map(({ code }) => code))];
  const more = codes.length > MAX_CODES ? [`${codes.length - MAX_CODES} more`] : [];
  const peers = plan.peers.length === 1 ? "1 peer" : `${plan.peers.length} peers`;
  return [peers, `${driftOf(report)} drift`, lease, ...codes.slice(0, MAX_CODES), ...more].join(", ");
}

/** As coarse as can be, because every change of the line is told. */
function renewal(ms: number): string {
  if (ms === Infinity) return "reserved";
  const minutes = Math.ceil(ms / 60_000);
  if (minutes >= 60) return `renew in ${Math.floor(minutes / 60)}h`;
  return minutes === 0 ? "renew now" : `renew in ${minutes}m`;
}
