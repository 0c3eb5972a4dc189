/** Hosts that are the same every time, for the outputs in the README. */
import { Lab, type LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { flanCommand } from "../../cmd/self.ts";
import { allEnded } from "../../net/all_ended.ts";

/** Who the hosts are; the subnets that they had last, which they get again; and their devices' MACs. */
const identities = ["4b1d6f0a93c2e871", "8e52c7d94f0b36a1", "c90f3a7be81d2456"].map((node, i) => ({
  schema: "flan.host/v1",
  node,
  previous: `10.244.${i + 1}.0/24`,
  macs: { "flan.1": `02:f1:a4:00:00:0${i + 1}` },
}));

/** Three hosts at 192.0.2.1 to 192.0.2.3 that have joined a network of one backend, and their first one's shell. */
export class ReadmeHosts implements AsyncDisposable {
  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  static async create(backend: string): Promise<ReadmeHosts> {
    const name = `flan-readme-${backend}-${Deno.pid}`;
    const hosts = new ReadmeHosts(await Lab.create({ name, hosts: identities.length }));
    try {
      await hosts.#join(backend);
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The first host starts the network; it is told last of all that everybody is there. */
  async #join(backend: string): Promise<void> {
    const { directory, hosts } = this.#lab;
    Deno.mkdirSync(`${directory}/bin`);
    const quoted = flanCommand([]).map((word) => `'${word}'`).join(" ");
    Deno.writeTextFileSync(`${directory}/bin/flan`, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
    hosts.forEach(({ stateDir }, i) => {
      Deno.mkdirSync(stateDir, { recursive: true });
      Deno.writeTextFileSync(`${stateDir}/host.json`, JSON.stringify(identities[i]));
    });
    const [first, ...others] = hosts as [LabHost, ...LabHost[]];
    const up = (host: LabHost) => this.#flan(host, ["up", "--detach", "--backend", backend]);
    await up(first);
    await allEnded(others.map(up));
    await this.#flan(first, ["status", "--wait", "--peers", String(others.length)]);
  }

  async #flan(host: LabHost, args: readonly string[]): Promise<void> {
    await must(this.#lab.command(host, flanCommand(args)), host.env);
  }

  /**
   * What a command line prints on the first host, on stdout and stderr, whatever its exit code, within 20 seconds. The host's
   * directories are called, in it and in what it prints, as on a host that has the machine for itself.
   */
  async output(command: string): Promise<string> {
    const { hosts: [host], directory } = this.#lab;
    const here = command.replaceAll("/run/flan/", `${host!.runDir}/`);
    const script = `exec 2>&1; PATH="${directory}/bin:$PATH"; ${here}`;
    const { stdout } = await this.#lab.on(host!, ["timeout", "20", "sh", "-c", script]);
    return stdout.replaceAll(host!.runDir, "/run/flan").replaceAll(host!.stateDir, "/var/lib/flan")
      .replaceAll(directory, "/var/lib/flan");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab.remove();
  }
}
