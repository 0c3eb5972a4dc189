/** What a measurement means. Pure. */
import type { Pair } from "./survey.ts";

/**
 * `ok`: all replies came. `lossy`: some. `one-way`: the probes arrive and their replies do not. `lost`: nothing arrives.
 * `hole`: small packets pass, and larger ones vanish without a word. `unknown`: nobody could be asked.
 */
export type State = "ok" | "lossy" | "one-way" | "lost" | "hole" | "unknown";

export function stateOf({ measured, arrived }: Pair): State {
  if (measured === undefined) return "unknown";
  if (measured.received === 0) return (arrived ?? 0) > 0 ? "one-way" : "lost";
  if (measured.tooLarge > 0) return "hole";
  return measured.received < measured.sent ? "lossy" : "ok";
}

/** Whether the answer to "do packets get through" is no. */
export function isBad(state: State): boolean {
  return state === "lost" || state === "hole";
}

/** Why, as a sentence, or undefined where there is nothing to say. The hosts are named as a person knows them. */
export function sentence(
  pair: Pair,
  { from, to }: { from: string; to: string },
): string | undefined {
  const { measured, arrived } = pair;
  const state = stateOf(pair);
  if (measured === undefined || state === "ok" || state === "unknown") return undefined;
  const { sent, received, tooLarge, mtu, error } = measured;
  const why = error === undefined ? "" : `: ${reasonOf(error)}`;
  switch (state) {
    case "lost":
      return `${from} does not reach ${to}: none of ${sent} packets got through${why}`;
    case "one-way":
      return `${from} reaches ${to} with ${arrived} of ${sent} packets, and no reply comes back`;
    case "lossy":
      return `${sent - received} of ${sent} packets from ${from} to ${to}, or their replies, are lost`;
    case "hole":
      return holeSentence({ from, to, mtu, tooLarge });
  }
}

/** What the kernel of the sending host says to packets that it refuses at once (ip-route(8), route types). */
const refusals: Readonly<Record<string, string>> = {
  EINVAL: "a blackhole route of that host takes them",
  EACCES: "a prohibit route of that host refuses them",
  EHOSTUNREACH: "that host knows no way there, or nobody answers on it",
  ENETUNREACH: "no route of that host leads there",
  ENETDOWN: "the link that they leave by is down",
};

function reasonOf(errno: string): string {
  const words = refusals[errno];
  return words === undefined ? errno : `${words} (${errno})`;
}

/** Names both sizes, bytes of the packet in the overlay. */
export function holeSentence(
  { from, to, mtu, tooLarge }: { from: string; to: string; mtu: number; tooLarge: number },
): string {
  return `Packets of ${tooLarge} bytes or more from ${from} to ${to} vanish without a word; ${mtu} bytes get through`;
}
