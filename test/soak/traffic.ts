/** Everything that goes between the hosts of the soak: TCP with checksums, numbered datagrams and pings, in a ring. */
import type { HostProcess } from "../lib/host_process.ts";
import type { Hosts, Member } from "../lib/hosts.ts";
import { type Carried, carried } from "./carried.ts";
import { flowFile } from "./flow.ts";
import { PING_MS } from "./flows.ts";
import { Runner } from "./runner.ts";

const PORT = "7007";

interface Runners {
  readonly servers: readonly Runner[];
  readonly flows: readonly Runner[];
  readonly pings: readonly Runner[];
}

export class Traffic {
  readonly #runners: Runners;

  private constructor(runners: Runners) {
    this.#runners = runners;
  }

  /** Each member sends to the next one, and pings the one before; resolves when all of it flows. */
  static async start(hosts: Hosts, members: readonly Member[], seed: number): Promise<Traffic> {
    const run = [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check", flowFile];
    const start = (i: number, argv: readonly string[]) => hosts.start(members[i]!.host, argv);
    const servers = members.map(({ container }, i) =>
      new Runner(start(i, [...run, "serve", container, PORT]), {
        name: `the server on host ${i + 1}`,
        ends: [i + 1, i + 1],
      })
    );
    await Promise.all(servers.map(({ out }) => out.line(/^serving$/)));
    const between = (what: string, { i, to, process }: { i: number; to: number; process: HostProcess }) =>
      new Runner(process, { name: `${what} ${i + 1} to ${to + 1}`, ends: [i + 1, to + 1] });
    const flows = members.map((_, i) => {
      const to = (i + 1) % members.length;
      const argv = [...run, "flow", members[to]!.container, PORT, String(seed + i)];
      return between("flow", { i, to, process: start(i, argv) });
    });
    const pings = members.map(({ container }, i) => {
      const to = (i + members.length - 1) % members.length;
      const ping = ["ping", "-n", "-D", "-i", String(PING_MS / 1000), "-I", container];
      return between("pings", { i, to, process: start(i, [...ping, members[to]!.container]) });
    });
    await Promise.all([
      ...flows.map(({ out }) => out.line(/"answered":[1-9].*"blocks":[1-9]/)),
      ...pings.map(({ out }) => out.line(/icmp_seq=3 /)),
    ]);
    return new Traffic({ servers, flows, pings });
  }

  /** Ends it all, and tells what came of everything. */
  async end(): Promise<Carried> {
    const { servers, flows, pings } = this.#runners;
    const [ofFlows, ofPings] = await Promise.all([
      Promise.all(flows.map((one) => one.end("SIGTERM"))),
      Promise.all(pings.map((one) => one.end("SIGINT"))),
    ]);
    const ofServers = await Promise.all(servers.map((one) => one.end("SIGKILL")));
    return carried({ servers: ofServers, flows: ofFlows, pings: ofPings });
  }
}
