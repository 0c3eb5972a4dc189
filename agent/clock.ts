/** Real time and real chance. The only file of flan that asks the system for either. */
import type { Clock } from "../net/clock.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      // A timer holds 2^31 − 1 ms at most; whoever sleeps longer is woken early and looks again.
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), 2 ** 31 - 1));
      signal?.addEventListener("abort", done, { once: true });
    });
  },
  turn() {
    // A message to ourselves comes back after whatever waits already; a timer would take a millisecond or two.
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = () => {
        port1.close();
        port2.close();
        resolve();
      };
      port2.postMessage(0);
    });
  },
  random: (bound) => Math.floor(Math.random() * bound),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
