/** The lines that a running program has printed so far, and waiting for the ones to come. */

import { PATIENCE_MS } from "./until.ts";

/** How often is looked for what no line tells. */
const EVERY_MS = 500;

export class LineLog {
  readonly lines: string[] = [];
  readonly #name: string;
  #news = Promise.withResolvers<void>();
  #ended = false;
  /** Resolves when the program has closed its output. */
  readonly closed: Promise<void>;

  constructor(name: string, stream: ReadableStream<Uint8Array>) {
    this.#name = name;
    this.closed = this.#read(stream);
  }

  /** The first line from index `from` on that matches. Throws with all lines where none comes in time. */
  async line(pattern: RegExp, from = 0, { patience = PATIENCE_MS } = {}): Promise<string> {
    const limit = AbortSignal.timeout(patience);
    for (let i = from;; i++) {
      while (i >= this.lines.length) await this.#more(limit, String(pattern));
      if (pattern.test(this.lines[i]!)) return this.lines[i]!;
    }
  }

  /**
   * Asks `check` now, after every further line and now and then, for what comes true after the last line, until it
   * says something else than undefined or false.
   */
  async until<T>(what: string, check: () => Promise<T | undefined | false>): Promise<T> {
    const limit = AbortSignal.timeout(PATIENCE_MS);
    while (true) {
      const seen = this.lines.length;
      const answer = await check();
      if (answer !== undefined && answer !== false) return answer;
      const look = AbortSignal.timeout(EVERY_MS);
      while (this.lines.length === seen && !look.aborted) await this.#more(limit, what, look);
    }
  }

  /** The lines from index `from` on that match. */
  matching(pattern: RegExp, from = 0): string[] {
    return this.lines.slice(from).filter((line) => pattern.test(line));
  }

  /** Resolves with the next line, or when `look` does. */
  async #more(limit: AbortSignal, what: string, look?: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<void>();
    const expire = () => late.resolve();
    const signals = look === undefined ? [limit] : [limit, look];
    for (const signal of signals) signal.addEventListener("abort", expire, { once: true });
    if (!this.#ended) await Promise.race([this.#news.promise, late.promise]);
    for (const signal of signals) signal.removeEventListener("abort", expire);
    if (!this.#ended && !limit.aborted) return;
    const why = this.#ended ? "it ended" : "it did not come in time";
    throw new Error(`${this.#name}: waited for ${what}, and ${why} after:\n${this.lines.join("\n")}`);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      if (parts.length > 0) this.#add(parts);
    }
    if (rest !== "") this.lines.push(rest);
    this.#ended = true;
    this.#news.resolve();
  }

  #add(lines: readonly string[]): void {
    this.lines.push(...lines);
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }
}
