/** When a lease ends, as people and scripts read it. */

/**
 * `11h02m`, `59s`; "reserved" for a lease that does not end, undefined where only the store knows when (see
 * `LeaseRecord.expires`).
 */
export function remaining(expires: number | undefined, now: number): string | undefined {
  if (expires === undefined) return "reserved";
  if (expires === Infinity) return undefined;
  return timeSpan(Math.max(0, Math.floor((expires - now) / 1000)));
}

/** `59s`, `3m`, `11h02m` from whole seconds. */
export function timeSpan(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours === 0 ? `${minutes}m` : `${hours}h${String(minutes).padStart(2, "0")}m`;
}

/** Seconds since 1970, or undefined where there is no end or nobody knows it. */
export function epochSeconds(expires: number | undefined): number | undefined {
  return expires === undefined || expires === Infinity ? undefined : Math.floor(expires / 1000);
}
