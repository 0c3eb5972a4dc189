/**
 * Two hosts for one data plane: network namespaces whose `eth0` are the two ends of one veth pair, without a bridge
 * between them, so that the underlay costs as little as it can. Each plane has a pair of its own, all of one make:
 * planes stand at once, idle while another one is measured, and no two share a route table or a port.
 */
import type { LabHost } from "../../../cmd/demo/lab.ts";
import { must, type Outcome, run } from "../../../cmd/demo/shell.ts";
import { flanCommand } from "../../../cmd/self.ts";
import { LineLog } from "../../lib/line_log.ts";

/** TEST-NET-1 (RFC 5737): no real network has it. */
const addresses = ["192.0.2.1", "192.0.2.2"] as const;

/** A program that runs on a host of a pair. */
export interface Running {
  readonly out: LineLog;
  readonly err: LineLog;
  readonly child: Deno.ChildProcess;
}

export class Pair {
  /** Where all measurements begin, and where they go. */
  readonly from: LabHost;
  readonly to: LabHost;
  /** States, logs, keys and the store. */
  readonly directory: string;

  private constructor(name: string, directory: string) {
    this.directory = directory;
    const [from, to] = addresses.map((address, i): LabHost => {
      const [runDir, stateDir] = [`${directory}/${i + 1}/run`, `${directory}/${i + 1}/state`];
      const env = {
        FLAN_STORE: `file:${directory}/network.json`,
        FLAN_RUN_DIR: runDir,
        FLAN_STATE_DIR: stateDir,
      };
      return { namespace: `${name}-${i + 1}`, address, runDir, stateDir, env };
    });
    [this.from, this.to] = [from!, to!];
  }

  /** A pair that stands. What was made before a failure is taken away again. */
  static async create(name: string): Promise<Pair> {
    const pair = new Pair(name, Deno.makeTempDirSync({ prefix: `${name}-` }));
    try {
      await pair.#build();
      return pair;
    } catch (error) {
      await pair.remove();
      throw error;
    }
  }

  get hosts(): readonly [LabHost, LabHost] {
    return [this.from, this.to];
  }

  /** The other end. */
  peerOf(host: LabHost): LabHost {
    return host === this.from ? this.to : this.from;
  }

  async #build(): Promise<void> {
    for (const { namespace } of this.hosts) await must(["ip", "netns", "add", namespace]);
    const [one, other] = [this.from.namespace, this.to.namespace];
    await must(["ip", "-netns", one, ..."link add eth0 type veth peer name eth0 netns".split(" "), other]);
    for (const { namespace, address } of this.hosts) {
      await must(["ip", "-netns", namespace, "link", "set", "lo", "up"]);
      await must(["ip", "-netns", namespace, "address", "add", `${address}/24`, "dev", "eth0"]);
      await must(["ip", "-netns", namespace, "link", "set", "eth0", "up"]);
    }
  }

  command(host: LabHost, argv: readonly string[]): [string, ...string[]] {
    return ["ip", "netns", "exec", host.namespace, ...argv];
  }

  /** Runs a program on a host to its end. */
  async on(host: LabHost, argv: readonly string[]): Promise<Outcome> {
    return await run(this.command(host, argv), host.env);
  }

  /** Like {@link on}; throws FlanError with what the program said where it fails. */
  async must(host: LabHost, argv: readonly string[]): Promise<string> {
    return await must(this.command(host, argv), host.env);
  }

  /** Runs flan on a host. Throws FlanError where it fails. */
  async flan(host: LabHost, args: readonly string[]): Promise<string> {
    return await this.must(host, flanCommand(args));
  }

  /** Starts a program on a host. It ends with the pair, or when its stdin does. */
  start(host: LabHost, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const [program, ...args] = this.command(host, argv);
    const child = new Deno.Command(program, {
      args,
      env: { ...host.env, ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const name = `${argv.slice(0, 4).join(" ")} on ${host.namespace}`;
    return {
      child,
      out: new LineLog(`stdout of ${name}`, child.stdout),
      err: new LineLog(`stderr of ${name}`, child.stderr),
    };
  }

  /** Ends what still runs in the namespaces and takes everything away. */
  async remove(): Promise<void> {
    for (const { namespace } of this.hosts) {
      const { stdout } = await run(["ip", "netns", "pids", namespace]);
      for (const pid of stdout.split(/\s+/).filter(Boolean)) await run(["kill", "-KILL", pid]);
      await run(["ip", "netns", "delete", namespace]);
    }
    Deno.removeSync(this.directory, { recursive: true });
  }
}
