/** Requests to every control socket, all along: each must be answered, unless its process was ended just then. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { closeQuietly } from "../../control/lines.ts";
import type { Json } from "../../net/json.ts";
import { type Window, windowsIn } from "./windows.ts";

/** How often each socket is asked, and how long for an answer is waited. */
const EVERY_MS = 250;
const PATIENCE_MS = 10_000;

export type Outcome = "answered" | "absent" | "lost";

/** A request that was not answered. */
export interface Silence {
  readonly who: string;
  /** When it was asked, and when it was known that there is no answer. */
  readonly at: number;
  readonly until: number;
  /** `absent`: nobody listened; `lost`: somebody took the request, and no whole answer came. */
  readonly outcome: Exclude<Outcome, "answered">;
  readonly why: string;
}

/** Asks a control socket once. Throws where nobody listens (`absent`), and where no whole answer comes. */
export async function ask(path: string, request: Json): Promise<Json> {
  const conn = await Deno.connect({ transport: "unix", path });
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    closeQuietly(conn);
  }, PATIENCE_MS);
  try {
    await conn.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    const chunk = new Uint8Array(1 << 16);
    const decoder = new TextDecoder();
    let text = "";
    while (!text.endsWith("\n")) {
      const count = await conn.read(chunk);
      if (count === null) throw new Error(`the connection ended after ${text.length} characters`);
      text += decoder.decode(chunk.subarray(0, count), { stream: true });
    }
    const answer = JSON.parse(text) as { ok?: Json; error?: string };
    // Null is an answer: an agent that is joining knows nothing yet.
    if (answer.ok === undefined) throw new Error(`it refused: ${answer.error}`);
    return answer.ok;
  } catch (error) {
    throw late ? new Error(`no answer in ${PATIENCE_MS} ms`) : error;
  } finally {
    clearTimeout(deadline);
    closeQuietly(conn);
  }
}

export class Control {
  sent = 0;
  answered = 0;
  /** Milliseconds. */
  slowest = { ms: 0, who: "", at: 0 };
  readonly silences: Silence[] = [];

  /** Asks agents and proxies of all hosts until `signal` aborts. */
  async run(hosts: readonly LabHost[], signal: AbortSignal): Promise<void> {
    await Promise.all(hosts.flatMap(({ runDir }, i) => [
      this.#keepAsking(`agent ${i + 1}`, { path: `${runDir}/agent.sock`, ops: ["status"], signal }),
      this.#keepAsking(`proxy ${i + 1}`, { path: `${runDir}/proxy.sock`, ops: ["show", "counters"], signal }),
    ]));
  }

  async #keepAsking(
    who: string,
    { path, ops, signal }: { path: string; ops: readonly string[]; signal: AbortSignal },
  ): Promise<void> {
    for (let i = 0; !signal.aborted; i++) {
      await this.#once(who, { path, op: ops[i % ops.length]! });
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  async #once(who: string, { path, op }: { path: string; op: string }): Promise<void> {
    const at = Date.now();
    const begun = performance.now();
    this.sent++;
    try {
      await ask(path, { op });
      this.answered++;
      const ms = performance.now() - begun;
      if (ms > this.slowest.ms) this.slowest = { ms, who: `${who}, ${op}`, at };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const absent = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused;
      this.silences.push({ who, at, until: Date.now(), outcome: absent ? "absent" : "lost", why });
    }
  }
}

/** The silences that nothing explains: at a time when their process was not ended on purpose. */
export function unexplained(silences: readonly Silence[], windows: readonly Window[]): Silence[] {
  return silences.filter(({ who, at, until }) =>
    !windowsIn(windows, { from: at, to: until }).some(({ silent }) => silent.includes(who))
  );
}
