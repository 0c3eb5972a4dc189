/** `flan store serve` as a process. */
import { LineLog } from "../lib/line_log.ts";
import type { Options, Sandbox } from "./sandbox.ts";

/** A server on a port that was free, until it is ended. */
export class StoreServer implements AsyncDisposable {
  readonly log: LineLog;
  readonly #child: Deno.ChildProcess;

  constructor(sandbox: Sandbox, args: readonly string[], options: Options = {}) {
    this.#child = sandbox.command(["store", "serve", ...args], options).spawn();
    this.log = new LineLog("flan store serve", this.#child.stderr);
  }

  async url(): Promise<string> {
    return /http\S+/.exec(await this.log.line(/Serving .* at http/))![0];
  }

  async end(signal: Deno.Signal): Promise<number> {
    this.#child.kill(signal);
    const [{ code }] = await Promise.all([this.#child.status, this.log.closed, this.#child.stdout.cancel()]);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that a test has ended is past being killed.
    await this.end("SIGKILL").catch(() => undefined);
  }
}
