/** Hosts for tests: the namespaces of a lab, and agents on them as processes in the foreground. */
import assert from "node:assert/strict";
import { Lab, type LabHost } from "../../cmd/demo/lab.ts";
import { flanCommand } from "../../cmd/self.ts";
import { must, type Outcome } from "../../cmd/demo/shell.ts";
import { formatCidr, parsePrefix } from "../../net/ip.ts";
import { HostProcess } from "./host_process.ts";
import { type Plane, vxlan } from "./planes.ts";
import { unanswered } from "./unanswered.ts";
import { until } from "./until.ts";

/** A host that has joined. */
export interface Member {
  readonly host: LabHost;
  readonly subnet: string;
  /** The IPv6 half of a dual-stack lease. */
  readonly subnet6?: string | undefined;
  /** The address that stands for a container: the subnet's first, on a bridge. */
  readonly container: string;
  /** That, and the one of the IPv6 half. */
  readonly containers: readonly string[];
  /** The agent that runs now. */
  agent: HostProcess;
}

export class Hosts {
  readonly lab: Lab;
  readonly plane: Plane;
  readonly #processes: HostProcess[] = [];
  readonly #probes: boolean;
  readonly #program: readonly [string, ...string[]];

  constructor(
    lab: Lab,
    { plane, probes = false, program = flanCommand([]) }: Omit<HostTestInit, "lab" | "hosts"> & {
      plane: Plane;
    },
  ) {
    this.lab = lab;
    this.plane = plane;
    this.#probes = probes;
    this.#program = program;
  }

  /** The host with this number, from 1 on. */
  at(number: number): LabHost {
    return this.lab.hosts[number - 1]!;
  }

  /** Starts a program on a host. It ends with the test. */
  start(host: LabHost, argv: readonly string[]): HostProcess {
    const process = new HostProcess(this.lab, host, argv);
    this.#processes.push(process);
    return process;
  }

  /** Runs flan on a host to its end. */
  async flan(host: LabHost, ...args: readonly string[]): Promise<Outcome> {
    return await this.lab.on(host, [...this.#program, ...args]);
  }

  /** Starts `flan up` in the foreground; resolves when it is ready. */
  async up(host: LabHost, args: readonly string[] = []): Promise<HostProcess> {
    const up = ["up", "--verbose", "-o", "value=subnet", ...this.#probes ? [] : ["--probe-port", "0"]];
    const agent = this.start(host, [...this.#program, ...up, ...this.plane.args, ...args]);
    await agent.err.line(/ info Ready /);
    return agent;
  }

  /** Joins and makes the bridge that a container runtime would make. */
  async join(host: LabHost, args: readonly string[] = []): Promise<Member> {
    const agent = await this.up(host, args);
    await agent.out.line(/\/\d+$/);
    const gateways = gatewaysIn(`${host.runDir}/subnet.env`);
    const given = gateways.map((one) => `address add ${one} dev cni0${one.includes(":") ? " nodad" : ""}`);
    await this.ip(host, "link add cni0 type bridge", ...given, "link set cni0 up");
    const [subnet, subnet6] = gateways.map((one) => formatCidr(parsePrefix(one).cidr)) as [string, string?];
    const containers = gateways.map((one) => one.split("/")[0]!);
    return { host, subnet, subnet6, container: containers[0]!, containers, agent };
  }

  /** The first host starts the network, the others join it; resolves when all agents know all. */
  async joinAll(args: readonly string[] = []): Promise<Member[]> {
    const [first, ...others] = this.lab.hosts as [LabHost, ...LabHost[]];
    const members = [
      await this.join(first, args),
      ...await Promise.all(others.map((host) => this.join(host, args))),
    ];
    if (!args.includes("Mode=on-demand")) await Promise.all(members.map((one) => this.knows(one, members)));
    return members;
  }

  /** Waits until packets go from `member` to exactly the others of `members`. */
  async knows(member: Member, members: readonly Member[]): Promise<void> {
    const wanted = members.filter((one) => one !== member).flatMap(({ subnet, subnet6 }) =>
      subnet6 === undefined ? [subnet] : [subnet, subnet6]
    ).sort().join();
    await member.agent.err.until(
      `routes to ${wanted}`,
      async () => [...await this.plane.reached(member.host)].sort().join() === wanted,
    );
  }

  /** Runs lines of `ip` on a host, all by one process, and returns its number. */
  async ip(host: LabHost, ...lines: readonly string[]): Promise<number> {
    return await this.#batch("ip", host, lines);
  }

  async bridge(host: LabHost, ...lines: readonly string[]): Promise<number> {
    return await this.#batch("bridge", host, lines);
  }

  async #batch(program: string, host: LabHost, lines: readonly string[]): Promise<number> {
    const child = new Deno.Command(program, {
      args: ["-netns", host.namespace, "-batch", "-"],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${lines.join("\n")}\n`));
    await writer.close();
    const { code, stderr } = await child.output();
    assert.equal(code, 0, `${program} ${lines.join("; ")}: ${new TextDecoder().decode(stderr)}`);
    return child.pid;
  }

  /** What `ip -j` or `bridge -j` shows on a host. */
  async show(host: LabHost, program: "ip" | "bridge", line: string): Promise<Record<string, unknown>[]> {
    return JSON.parse(await must([program, "-netns", host.namespace, "-j", ...line.split(" ")]) || "[]");
  }

  /** Gives every host 2001:db8::n on the underlay and a default route, before it joins. */
  async withIpv6(): Promise<void> {
    await Promise.all(this.lab.hosts.map((host) =>
      this.ip(
        host,
        `address add ${address6Of(host)}/64 dev eth0 nodad`,
        "route add default via 2001:db8::fe dev eth0",
      )
    ));
  }

  /** Turns IPv6 off, where its duplicate address detection would change the namespace at its own time. */
  async withoutIpv6(host: LabHost): Promise<void> {
    const off = ["all", "default"].map((which) => `net.ipv6.conf.${which}.disable_ipv6=1`);
    const { code, stderr } = await this.lab.on(host, ["sysctl", "--quiet", "--write", ...off]);
    assert.equal(code, 0, stderr);
  }

  /**
   * Pings `count` times, 20 ms apart; returns how many were lost. An answer may take `patience` seconds: as long as a
   * busy machine does, or less where none is expected.
   */
  async lost(from: LabHost, address: string, { count = 2, patience = 10 } = {}): Promise<number> {
    const argv = ["ping", "-n", "-q", "-c", "1", "-W", `${patience}`, address];
    return await unanswered(count, () => this.lab.on(from, argv));
  }

  /** Insists that every member reaches every other one's container. */
  async allReach(members: readonly Member[]): Promise<void> {
    await Promise.all(members.flatMap((from) =>
      members.filter((to) => to !== from).map(async (to) => {
        const why = `${from.host.namespace} does not reach ${to.container}`;
        assert.equal(await this.lost(from.host, to.container), 0, why);
      })
    ));
  }

  /** What `flan status -o json` says, with its exit code. */
  async status(host: LabHost): Promise<{ code: number; problems: { code: string; subject: string }[] }> {
    const { code, stdout } = await this.flan(host, "status", "-o", "json");
    return { code, problems: JSON.parse(stdout).problems };
  }

  /** Waits until `flan status` finds nothing wrong: one problem may end after another one of the same cause. */
  async isWell(host: LabHost): Promise<void> {
    let said = "";
    await until(() => `${host.namespace} is well, instead of ${said}`, async () => {
      const { code, problems } = await this.status(host);
      said = `code ${code} with ${JSON.stringify(problems)}`;
      return code === 0 && problems.length === 0;
    });
  }

  async remove(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.end()));
    await this.lab.remove();
  }
}

/** The address that a host has by {@link Hosts.withIpv6}. */
export function address6Of({ address }: LabHost): string {
  return `2001:db8::${address.split(".").at(-1)}`;
}

/** The bridge's addresses that a container runtime would take from there: IPv4 before IPv6. */
function gatewaysIn(subnetEnv: string): string[] {
  const text = Deno.readTextFileSync(subnetEnv);
  return [...text.matchAll(/^FLANNEL(?:_IPV6)?_SUBNET=(.+)$/gm)].map(([, gateway]) => gateway!);
}

export interface HostTestInit {
  readonly lab: string;
  readonly hosts: number;
  readonly store?: string;
  readonly plane?: Plane;
  /** Whether the agents measure the network. Where others count packets, these are in the way. */
  readonly probes?: boolean;
  /** What runs flan; the source tree's unless given. */
  readonly program?: readonly [string, ...string[]] | undefined;
}

/**
 * A test with `count` hosts on one underlay, which are taken away at its end however it ends. Their store is one
 * file and their backend vxlan, unless others are given.
 */
export function hostTest(
  name: string,
  { lab, hosts: count, store, plane = vxlan, probes = false, program }: HostTestInit,
  body: (hosts: Hosts, t: Deno.TestContext) => Promise<void>,
): void {
  const ignore = Deno.uid() !== 0;
  Deno.test({
    name: ignore ? `${name} (needs root)` : name,
    ignore,
    fn: async (t) => {
      const made = await Lab.create({ name: `flan-t-${lab}-${Deno.pid}`, hosts: count, store });
      const hosts = new Hosts(made, { plane, probes, program });
      try {
        await body(hosts, t);
      } finally {
        await hosts.remove();
      }
    },
  });
}
