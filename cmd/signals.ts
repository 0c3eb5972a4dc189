/** SIGINT, SIGTERM and SIGHUP (a terminal that was closed) as a promise of the exit code. */
import { exit } from "./exit.ts";

export interface Signals {
  /** Resolves to the exit code once a signal came, or {@link stop} was called. */
  readonly stopped: Promise<number>;
  stop(code: number): void;
  close(): void;
}

/** From here on none of the signals ends the process by itself, until `close`. */
export function listenForSignals(): Signals {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  const handlers = {
    SIGINT: () => stop(exit.interrupted),
    SIGTERM: () => stop(exit.terminated),
    SIGHUP: () => stop(exit.hungUp),
  };
  for (const [name, handler] of Object.entries(handlers)) {
    Deno.addSignalListener(name as Deno.Signal, handler);
  }
  return {
    stopped,
    stop,
    close() {
      for (const [name, handler] of Object.entries(handlers)) {
        Deno.removeSignalListener(name as Deno.Signal, handler);
      }
    },
  };
}
