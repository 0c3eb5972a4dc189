/** Asks another host to measure, over the very path that is measured. */
import type { Clock } from "../net/clock.ts";
import type { Exchange } from "./exchange.ts";
import type { Packet, Result } from "./packet.ts";

/** An answer may take so long; a question that gets none is asked again. */
const WITHIN_MS = 400;
/** Between two questions to one that is at work. */
const PAUSE_MS = 150;
/** A host that says nothing for so long will not. */
const SILENT_MS = 2500;
/** No measurement takes longer, however many others wait before it. */
const LIMIT_MS = 10_000;

export type Answered =
  | { readonly state: "measured"; readonly results: readonly Result[] }
  /** It does not answer, measures for somebody else, or has more peers than it measures for others. */
  | { readonly state: "silent" | "busy" | "refused" };

/** Resolves to what the host at `address` measured to `targets`, or to all that it knows where none are named. */
export async function askHost(
  address: string,
  { round, targets }: { round: number; targets: readonly string[] },
  { exchange, clock }: { exchange: Exchange; clock: Clock },
): Promise<Answered> {
  const begun = clock.monotonic();
  let heard = begun;
  let isBusy = false;
  const results: Result[] = [];
  let page = 0;
  while (clock.monotonic() - begun < LIMIT_MS) {
    const { packet, error } = await exchange.ask(address, { round, page, targets, within: WITHIN_MS });
    if (!isAnswer(packet)) {
      // What cannot be sent fails at once.
      if (error !== undefined) await clock.sleep(PAUSE_MS);
      if (clock.monotonic() - heard >= SILENT_MS) return { state: "silent" };
      continue;
    }
    heard = clock.monotonic();
    isBusy = packet.state === "busy";
    if (packet.state === "refused") return { state: "refused" };
    if (packet.state === "done") {
      results.push(...packet.results);
      page++;
      if (page >= packet.pages) return { state: "measured", results };
    } else await clock.sleep(PAUSE_MS);
  }
  return { state: isBusy ? "busy" : "silent" };
}

function isAnswer(packet: Packet | undefined): packet is Extract<Packet, { kind: "answer" }> {
  return packet?.kind === "answer";
}
