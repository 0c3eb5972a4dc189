/**
 * Several hosts on one machine: each a network namespace with an `eth0` of its own, all on one bridge that
 * stands in a namespace too. Nothing outside these namespaces is touched.
 */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import { flanCommand } from "../self.ts";
import { must, type Outcome, run } from "./shell.ts";

export interface LabHost {
  /** Name of the network namespace. */
  readonly namespace: string;
  /** Address on the underlay. */
  readonly address: string;
  /** The settings every flan command on this host needs, as environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly runDir: string;
  readonly stateDir: string;
}

/** TEST-NET-1 (RFC 5737): no real network has it. The bridge is the last address. */
const UNDERLAY = "192.0.2";
export const MAX_HOSTS = 200;

export class Lab {
  readonly #name: string;
  readonly #bridge: string;
  #halted = false;
  readonly hosts: LabHost[] = [];
  /** Machines on the same underlay that are no hosts of the network: what a store runs on. */
  readonly servers: LabHost[] = [];
  /** Everything of the lab on disk: states, logs and the store. */
  readonly directory: string;
  readonly store: string;

  /** The hosts' store is a file that all of them see, unless another one is given. */
  constructor(name: string, directory: string, { store }: { store?: string | undefined } = {}) {
    this.#name = name;
    this.#bridge = `${name}-net`;
    this.directory = directory;
    this.store = store ?? `file:${directory}/network.json`;
  }

  /** A lab that stands. What was made before a failure is taken away again. */
  static async create(
    { name, hosts, store }: { name: string; hosts: number; store?: string | undefined },
  ): Promise<Lab> {
    const lab = new Lab(name, Deno.makeTempDirSync({ prefix: `${name}-` }), { store });
    try {
      await lab.build(hosts);
      return lab;
    } catch (error) {
      await lab.remove();
      throw error;
    }
  }

  /** Makes the namespaces and wires them up. What was made before a failure is there for {@link remove}. */
  async build(hosts: number): Promise<void> {
    await must(["ip", "netns", "add", this.#bridge]);
    await this.#ip(this.#bridge, [
      "link add br0 type bridge",
      `address add ${UNDERLAY}.254/24 dev br0`,
      "link set br0 up",
      "link set lo up",
    ]);
    for (let i = 1; i <= hosts; i++) await this.#addMachine(i, this.hosts);
  }

  /** Adds a server; its number, above those of all hosts, is the last part of its address. */
  async addServer(number: number): Promise<LabHost> {
    await this.#addMachine(number, this.servers);
    return this.servers.at(-1)!;
  }

  async #addMachine(number: number, machines: LabHost[]): Promise<void> {
    const namespace = `${this.#name}-${number}`;
    const address = `${UNDERLAY}.${number}`;
    const runDir = `${this.directory}/${number}/run`;
    const stateDir = `${this.directory}/${number}/state`;
    this.#requireOpen();
    // Known before it is made: whoever takes the lab away meanwhile must not miss it.
    machines.push({
      namespace,
      address,
      runDir,
      stateDir,
      env: { FLAN_STORE: this.store, FLAN_RUN_DIR: runDir, FLAN_STATE_DIR: stateDir },
    });
    await must(["ip", "netns", "add", namespace]);
    await this.#ip(this.#bridge, [
      `link add p${number} type veth peer name eth0 netns ${namespace}`,
      `link set p${number} master br0 up`,
    ]);
    await this.#ip(namespace, [
      "link set lo up",
      `address add ${address}/24 dev eth0`,
      "link set eth0 up",
      `route add default via ${UNDERLAY}.254`,
    ]);
  }

  /** Runs several `ip` commands in a namespace with one process. */
  async #ip(namespace: string, lines: readonly string[]): Promise<void> {
    await must(["sh", "-c", `ip -netns "$0" -batch - <<EOF\n${lines.join("\n")}\nEOF`, namespace]);
  }

  /** Runs a program on a host. */
  async on(host: LabHost, argv: readonly string[]): Promise<Outcome> {
    this.#requireOpen();
    return await run(this.command(host, argv), host.env);
  }

  /** Runs flan on a host. */
  async flan(host: LabHost, args: readonly string[]): Promise<Outcome> {
    return await this.on(host, flanCommand(args));
  }

  /** The whole command line that runs a program on a host; its environment is the host's `env`. */
  command(host: LabHost, argv: readonly string[]): [string, ...string[]] {
    return ["ip", "netns", "exec", host.namespace, ...argv];
  }

  /** Lets no further program start, and ends those that run until `work`, which waits for them, has ended. */
  async halt(work: Promise<unknown>, clock: Clock): Promise<void> {
    this.#halted = true;
    const ended = new AbortController();
    const end = () => ended.abort();
    work.then(end, end);
    while (!ended.signal.aborted) {
      for (const { namespace } of this.#machines) await endAll(namespace);
      await clock.sleep(100, ended.signal);
    }
  }

  get #machines(): readonly LabHost[] {
    return [...this.hosts, ...this.servers];
  }

  #requireOpen(): void {
    if (this.#halted) throw new FlanError("The lab is being taken away", { op: "demo", code: "failed" });
  }

  /** Ends what still runs in the namespaces and takes everything away. */
  async remove(): Promise<void> {
    for (const namespace of [...this.#machines.map((one) => one.namespace), this.#bridge]) {
      await endAll(namespace);
      await run(["ip", "netns", "delete", namespace]);
    }
    Deno.removeSync(this.directory, { recursive: true });
  }
}

async function endAll(namespace: string): Promise<void> {
  const { stdout } = await run(["ip", "netns", "pids", namespace]);
  for (const pid of stdout.split(/\s+/).filter(Boolean)) kill(Number(pid));
}

/** It may have ended by itself meanwhile. */
function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
