/** A program that runs on a host of a lab while the test goes on. */
import type { Lab, LabHost } from "../../cmd/demo/lab.ts";
import { LineLog } from "./line_log.ts";

export class HostProcess {
  readonly out: LineLog;
  readonly err: LineLog;
  readonly #child: Deno.ChildProcess;

  constructor(lab: Lab, host: LabHost, argv: readonly string[]) {
    const [program, ...args] = lab.command(host, argv);
    this.#child = new Deno.Command(program, {
      args,
      env: host.env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const name = `${argv.slice(0, 8).join(" ")} on ${host.namespace}`;
    this.out = new LineLog(`stdout of ${name}`, this.#child.stdout);
    this.err = new LineLog(`stderr of ${name}`, this.#child.stderr);
  }

  /** `ip netns exec` becomes the program, so this is the program's own number. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when the program has ended and everything it printed was read. */
  async ended(): Promise<Deno.CommandStatus> {
    const [status] = await Promise.all([this.#child.status, this.out.closed, this.err.closed]);
    return status;
  }

  /** Sends the signal, unless the program has ended already, and waits for its end. */
  async end(signal: Deno.Signal = "SIGKILL"): Promise<Deno.CommandStatus> {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // The runtime says so of a child that has ended.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
    return await this.ended();
  }
}
