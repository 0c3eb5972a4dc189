/** Waiting for what nobody announces. */
import { systemClock } from "../../agent/clock.ts";
import type { Clock } from "../../net/clock.ts";

const EVERY_MS = 20;
/**
 * Far above anything that is waited for; only a test that fails waits so long. An emulated machine says by
 * TEST_SLOWNESS how much longer it takes.
 */
export const PATIENCE_MS = 60_000 * Number(Deno.env.get("TEST_SLOWNESS") ?? 1);

/** Real time for a machine that has other work: what gives up after five seconds does so after a minute. */
export const patientClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(12 * ms, signal),
};

/**
 * Resolves when `holds` says so, which is asked again and again. Throws with `what` where it never does, or with what
 * that says by then.
 */
export async function until(
  what: string | (() => string),
  holds: () => Promise<boolean>,
  { clock = systemClock }: { clock?: Clock } = {},
): Promise<void> {
  const begun = clock.monotonic();
  while (!await holds()) {
    if (clock.monotonic() - begun > PATIENCE_MS) {
      throw new Error(`waited for this in vain: ${typeof what === "string" ? what : what()}`);
    }
    await clock.sleep(EVERY_MS);
  }
}
