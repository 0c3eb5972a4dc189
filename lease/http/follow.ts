/** Follows a document over HTTP: by long poll where the server does it, by conditional polling where not. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Document } from "../document/document.ts";
import { Backoff } from "../remote/backoff.ts";
import { asStoreTrouble } from "../remote/trouble.ts";
import type { Held } from "./http_document.ts";

/** Between two looks at a server that cannot wait, milliseconds; up to a fifth more, so that hosts spread. */
const POLL = 5000;
/** An answer that comes sooner was not waited for; after the first such one this is the longest pause. */
const PROMPT = 1000;
/** At least this long is one look, so that a server that always has something new makes no hot loop. */
const SHORTEST = 100;

/** What is followed: `HttpDocument`. */
export interface Followed {
  read(): Promise<Held>;
  next(known: Held, signal: AbortSignal): Promise<Held>;
}

export interface Listener {
  /** Called with the first document and each that is another one. */
  readonly changed: (document: Document) => void;
  /** Called for each new cause that keeps the document away, and with undefined when it is back for good. */
  readonly troubled: (error: FlanError | undefined) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the signal aborts. Throws only what is a defect. */
export async function follow(
  document: Followed,
  { clock, changed, troubled, signal }: Listener & { clock: Clock },
): Promise<void> {
  const backoff = new Backoff(clock, troubled);
  let known: Held | undefined;
  let prompt = 0;
  while (!signal.aborted) {
    const began = clock.monotonic();
    try {
      const held = known === undefined ? await document.read() : await document.next(known, signal);
      const isNew = known === undefined || held.etag !== known.etag;
      const first = known === undefined;
      known = held;
      backoff.succeeded();
      if (isNew) changed(held.document);
      const took = clock.monotonic() - began;
      prompt = isNew || took >= PROMPT ? 0 : prompt + 1;
      await clock.sleep(first ? 0 : pauseAfter({ waits: held.waits, prompt, took }, clock), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FlanError)) throw error;
      await clock.sleep(backoff.failed(asStoreTrouble(error)), signal);
    }
  }
}

/** The first look does not ask the server to wait, so only the later ones tell whether it does. */
function pauseAfter(
  { waits, prompt, took }: { waits: boolean; prompt: number; took: number },
  clock: Clock,
): number {
  if (waits && prompt === 0) return Math.max(0, SHORTEST - took);
  // A 304 at once from a server that waits means that it stops, and is probably started again.
  if (waits && prompt === 1) return clock.random(PROMPT);
  return POLL + clock.random(POLL / 5);
}
