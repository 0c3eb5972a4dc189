/** The service manager that started this process, where one did: its variables, and the way to it. */
import { Notifier, watchdogTime } from "../agent/notify.ts";
import { sendUnixDatagram } from "../ffi/unix_datagram.ts";
import { invalid, messageOf } from "../net/errors.ts";
import type { Context } from "./context.ts";

/** Undefined where no manager wants to be told. Throws `invalid` for a WATCHDOG_USEC that is no number. */
export function openNotifier({ clock, log }: Context): Notifier | undefined {
  const socket = Deno.env.get("NOTIFY_SOCKET");
  if (socket === undefined || socket === "") return undefined;
  const encoder = new TextEncoder();
  const send = (message: string) => sendUnixDatagram(socket, encoder.encode(message));
  return new Notifier({ send, watchdog: watchdogIn(), clock, log });
}

function watchdogIn(): number {
  const [usec, pid] = [Deno.env.get("WATCHDOG_USEC"), Deno.env.get("WATCHDOG_PID")];
  try {
    return watchdogTime({ usec, pid }, Deno.pid);
  } catch (error) {
    throw invalid("notify", `Cannot use WATCHDOG_USEC: ${messageOf(error)}`);
  }
}
